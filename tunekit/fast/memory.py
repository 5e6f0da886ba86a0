"""Memory that stays with the process: a step asks for the same sizes as the one before.

By default glibc gives large blocks back to the system as soon as they are free, and gets new ones from it
with each page to be filled with zeros first: for every gradient and activation of every step.
"""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # mallopt's numbers
MOST = 2**31 - 1  # bytes; what is free beyond goes back


def keep_memory() -> bool:
    """Let glibc keep what is freed; tell whether it could be told so."""
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, MOST))

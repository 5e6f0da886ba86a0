"""The variables by which launchers tell a process its place: whether they can be true together."""

import os
import sys

from tunekit.errors import InputError

NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
PLACE = (*NUMBERS, "MASTER_ADDR")


def check_place() -> None:
    """Refuse variables of a launcher that are wrong, or of which some are missing.

    Raises:
        InputError: they are, as after a launcher whose variables were left in the shell.
    """
    given = {name: os.environ[name] for name in PLACE if name in os.environ}
    problem = next((f"{n} is {given[n]!r}" for n in NUMBERS if n in given and not given[n].isdecimal()), None)
    problem = problem or contradiction(given)
    if problem:
        raise InputError(
            f"{problem}, which no launcher of several processes says; start the command by one, or without: "
            f"unset {' '.join(given)}"
        )


def contradiction(given: dict[str, str]) -> str | None:
    """What of a process's place cannot be, in words."""
    count, here = int(given.get("WORLD_SIZE", "1")), int(given.get("LOCAL_WORLD_SIZE", "1"))
    index, local = int(given.get("RANK", "0")), int(given.get("LOCAL_RANK", "0"))
    if count > 1 and "RANK" not in given:
        return f"WORLD_SIZE is {count} without RANK"
    if index >= max(count, 1):
        return f"RANK is {index} with WORLD_SIZE {given.get('WORLD_SIZE', 'unset')}"
    if not 1 <= here <= count or ("LOCAL_WORLD_SIZE" in given and local >= here):
        return f"LOCAL_RANK is {local} and LOCAL_WORLD_SIZE {here} with WORLD_SIZE {count}"
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in given]
    if count > 1 and missing and not joined():
        return f"WORLD_SIZE is {count} without {' and '.join(missing)}"
    return None


def joined() -> bool:
    """Whether a framework around has brought the processes together already."""
    return "torch" in sys.modules and sys.modules["torch"].distributed.is_initialized()

"""One process per device: the command starts itself again under torch's launcher."""

import logging
import os
import sys

from tunekit.errors import InputError, Interrupted

OPTIONS = {  # of the launcher, where its version has them
    "--signals-to-handle": "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1",  # passed on to the processes
    "--shutdown-timeout": "600",  # seconds that a process may take to save before it is killed
}


def relaunched(processes: str) -> bool:
    """Run the present command on several processes of this machine; False when one process is enough.

    Does not return when the processes fail: it exits as the first that failed did.
    """
    count = wanted(processes)
    if count == 1 or "RANK" in os.environ:
        return False
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import get_args_parser, main

    logging.getLogger("torch.distributed.elastic").setLevel(
        logging.CRITICAL
    )  # the processes speak for themselves
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    known = get_args_parser().format_help()
    options = [f"{name}={value}" for name, value in OPTIONS.items() if name in known]
    try:
        main(["--standalone", f"--nproc-per-node={count}", *options, "-m", "tunekit", *sys.argv[1:]])
    except ChildFailedError as error:
        sys.exit(error.get_first_failure()[1].exitcode)
    except SignalException:
        sys.exit(Interrupted.exit_code)  # the launcher has passed the signal on, and the processes have saved
    return True


def wanted(processes: str) -> int:
    """The number of processes asked for; auto is one per GPU."""
    if processes != "auto":
        if not processes.isdecimal() or int(processes) < 1:
            raise InputError(f"--processes is {processes!r}; give a number of at least 1, or auto")
        return int(processes)
    if "RANK" in os.environ:
        return 1
    import torch

    return max(1, int(torch.cuda.device_count()))

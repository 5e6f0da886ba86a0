"""A process that has imported everything, and forks a run of the real command line for each request.

A run is a process of its own, with its own exit status, and dies of real signals; it only saves the seconds
that imports take. Requests and answers are JSON lines: `{"argv": [..], "said": path, "folder": path or null,
"at": number or null, "patience": seconds or null, "environment": variables}`
is answered with `{"pid": ..}`, and `{"wait": pid}` with `{"status": ..}`.

With `folder` and `at` a run kills itself when Python touches a file of the folder for the `at`-th time
(counted by audit events: open, mkdir, rename, remove, rmdir), and so between any two things that it writes.
"""

import json
import os
import signal
import sys
import traceback
from typing import Any

TOUCHING = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}


def die_at(folder: str, at: int) -> None:
    """Let this process kill itself when a folder is touched for the `at`-th time."""
    touched = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal touched
        if event in TOUCHING and str(arguments[0]).startswith(folder):
            touched += 1
            if touched == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def run(request: dict[str, Any]) -> int:
    """Run the command line in this process, which was forked for it."""
    from tunekit.cli import main
    from tunekit.data import workers

    said = os.open(request["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(said, 2)
    os.dup2(said, 1)
    sys.argv = ["tunekit", *request["argv"]]
    os.environ.update(request.get("environment", {}))
    if request.get("patience"):
        workers.PATIENCE = request["patience"]
    if request.get("at"):
        die_at(request["folder"], request["at"])
    try:
        main()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
        return 99
    return 0


def serve() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = {"status": os.waitstatus_to_exitcode(status)}
        else:
            pid = os.fork()
            if pid == 0:
                code = run(request)
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)


def warm() -> None:
    """Import what a run needs, without computing anything: threads do not survive a fork."""
    import accelerate
    import datasets
    import evaluate
    import scipy.stats
    import sklearn.metrics
    import transformers

    import tunekit.models.load
    import tunekit.workflow

    del accelerate, datasets, evaluate, scipy, sklearn, tunekit
    for name in (
        "AutoModelForSequenceClassification",
        "AutoTokenizer",
        "AutoImageProcessor",
        "get_scheduler",
    ):
        getattr(transformers, name)


if __name__ == "__main__":
    warm()
    serve()

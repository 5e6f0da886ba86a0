"""A small process of a run, which acts as it is told: `{"rank.attempt": what to do}`, by default the end."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from tunekit import errors
from tunekit.console import out
from tunekit.errors import explain
from tunekit.launch import follow_launcher, report
from tunekit.launch.workers import Unreached


def act(what: str) -> None:
    """Do one thing, such as `die SIGKILL`, `raise Diverged text` or `wait`."""
    verb, _, rest = what.partition(" ")
    kind, _, text = rest.partition(" ")
    if verb == "die":
        print("last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.Signals[kind])
    elif verb == "raise":
        raise {**vars(errors), "ValueError": ValueError}[kind](text)
    elif verb in ("save", "miss"):
        wait_for_sigterm()
        raise Unreached("lost") if verb == "miss" else errors.Interrupted("SIGTERM received: saved")
    elif verb == "wait":
        print("ready", file=sys.stderr, flush=True)
        time.sleep(100)


def wait_for_sigterm() -> None:
    """Go on when the launcher says so, as a step that is finished first."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    print("ready", file=sys.stderr, flush=True)
    while not asked:
        time.sleep(0.01)


def meet(folder: Path) -> None:
    """Go on when both processes are there."""
    (folder / f"here-{os.environ['RANK']}").touch()
    while len(list(folder.glob("here-*"))) < 2:
        time.sleep(0.01)


def main() -> None:
    """What `tunekit.cli.main` does, around something shorter than a run."""
    follow_launcher()
    out.speaks = os.environ["RANK"] == "0"
    out.say(f"process {os.getpid()} begins")
    meet(Path(os.environ["TORCHELASTIC_ERROR_FILE"]).parents[1])
    here = f"{os.environ['RANK']}.{os.environ['TORCHELASTIC_RESTART_COUNT']}"
    try:
        act(json.loads(sys.argv[1]).get(here, "end"))
    except BaseException as error:
        message, code = explain(error)
        report(error, message, code)
        sys.exit(code)


if __name__ == "__main__":
    main()

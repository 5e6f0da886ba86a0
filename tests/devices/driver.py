"""Many runs in one start of several processes, for a start takes longer than a tiny run.

torchrun --nproc-per-node=2 -m tests.devices.driver jobs.json

A job is the recipe, overrides, the folder of the run and, for one that continues another's, a checkpoint of
that one: the run is then a copy of it as it was after that step.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from tunekit import finetune
from tunekit.console import out
from tunekit.environment import process_index


def do(job: dict[str, Any]) -> None:
    """Make a run on all processes of the launch."""
    output, resume = job["output"], "auto"
    if job.get("after"):
        resume = str(Path(output) / "checkpoints" / Path(job["after"]).name)
        if process_index() == 0:
            copy_unfinished(Path(job["after"]).parents[1], Path(output))
        while not Path(output).exists():  # until the first process has made it
            time.sleep(0.02)
    finetune(job["recipe"], *job["overrides"], output=None if job.get("after") else output, resume=resume)


def copy_unfinished(run: Path, to: Path) -> None:
    """Copy a run, as one that was stopped."""
    beside = to.with_name(f".{to.name}")
    shutil.copytree(run, beside)
    facts = json.loads((beside / "run.json").read_text())
    (beside / "run.json").write_text(json.dumps(facts | {"status": "interrupted"}))
    beside.rename(to)


if __name__ == "__main__":
    out.speaks = process_index() == 0
    for each in json.loads(Path(sys.argv[1]).read_text()):
        do(each)

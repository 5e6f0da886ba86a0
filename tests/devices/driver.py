"""Many runs in one start of several processes, for a start takes longer than a tiny run.

torchrun --nproc-per-node=2 -m tests.devices.driver jobs.json

A job is the recipe, overrides, the folder of the run and, for one that continues another's, a checkpoint of
that one: the run is then a copy of it as it was after that step.
"""

import json
import shutil
import sys
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
        if process_index() == 0:  # for which the others wait
            copy_unfinished(Path(job["after"]).parents[1], Path(output))
    finetune(job["recipe"], *job["overrides"], output=None if job.get("after") else output, resume=resume)


def copy_unfinished(run: Path, to: Path) -> None:
    """Copy a run, as one that was stopped."""
    shutil.copytree(run, to)
    facts = json.loads((to / "run.json").read_text())
    (to / "run.json").write_text(json.dumps(facts | {"status": "interrupted"}))


if __name__ == "__main__":
    out.speaks = process_index() == 0
    for each in json.loads(Path(sys.argv[1]).read_text()):
        do(each)

"""Many runs in one start of several processes, for that takes longer than the runs.

torchrun --nproc-per-node=2 -m tests.devices.driver jobs.json    each is recipe, output, resume, overrides
"""

import json
import sys
from pathlib import Path

from tunekit import finetune
from tunekit.console import out
from tunekit.environment import process_index

if __name__ == "__main__":
    out.speaks = process_index() == 0
    for recipe, output, resume, overrides in json.loads(Path(sys.argv[1]).read_text()):
        finetune(recipe, *overrides, output=output, resume=resume or "auto")

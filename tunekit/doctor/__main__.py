"""`python -m tunekit.doctor WORDS...` is `tunekit WORDS...` that kills itself after a checkpoint."""

import runpy

from tunekit.doctor.resuming import die_after_a_checkpoint

if __name__ == "__main__":
    die_after_a_checkpoint()
    runpy.run_module("tunekit", run_name="__main__", alter_sys=True)

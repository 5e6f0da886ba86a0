"""Before the first step: all that can be wrong is checked, then the parts of a run are put together."""

from tunekit.prepare.agreeing import refuse_other_machines
from tunekit.prepare.assemble import assemble, reported
from tunekit.prepare.check import Prepared, check, check_pushable
from tunekit.prepare.once import Once, prepared_once
from tunekit.prepare.resuming import already_finished, named_checkpoint

__all__ = [
    "Once",
    "Prepared",
    "already_finished",
    "assemble",
    "check",
    "check_pushable",
    "named_checkpoint",
    "prepared_once",
    "refuse_other_machines",
    "reported",
]

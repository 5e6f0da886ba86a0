"""The processes of a run: one per device, started here, by torchrun or by a scheduler; and how they part."""

from tunekit.launch.groups import found_by_first, leave, set_patience, together
from tunekit.launch.relaunching import relaunched
from tunekit.launch.variables import check_place
from tunekit.launch.workers import follow_launcher, report, started_here

__all__ = [
    "check_place",
    "follow_launcher",
    "found_by_first",
    "leave",
    "relaunched",
    "report",
    "set_patience",
    "started_here",
    "together",
]

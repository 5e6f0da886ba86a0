"""The Hub: what leaves a run for it, what comes back from it, and what a recipe needs of it."""

from tunekit.hub.pushing import check_rights, finished_run, push_if_named, push_run
from tunekit.hub.sending import Pushed

__all__ = ["Pushed", "check_rights", "finished_run", "push_if_named", "push_run"]

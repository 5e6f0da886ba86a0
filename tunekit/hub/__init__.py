"""The Hub: what of a run goes there, how, and how it comes back."""

from tunekit.hub.pushing import check_rights, finished_run, push_if_named, push_run
from tunekit.hub.sending import Pushed

__all__ = ["Pushed", "check_rights", "finished_run", "push_if_named", "push_run"]

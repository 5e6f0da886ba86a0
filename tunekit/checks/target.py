"""Whether the Hub takes the run that the recipe wants to push."""

from collections.abc import Iterator

from tunekit import network
from tunekit.checks.finding import Finding, of_problem
from tunekit.checks.subject import Subject
from tunekit.errors import EnvironmentFailure, InputError


def find_refusal(subject: Subject) -> Iterator[Finding]:
    """Ask the Hub whether this account may push to the recipe's repository."""
    section = subject.recipe.hub
    if section.repo is None or subject.ask_hub is None:
        return
    if network.offline():
        yield Finding(
            "note", "hub", f"nobody was asked whether {section.repo} may be pushed to: the network is off"
        )
        return
    try:
        subject.ask_hub(section)
    except (InputError, EnvironmentFailure) as error:
        yield of_problem("hub" if isinstance(error, InputError) else "environment", str(error))
    else:
        yield Finding("note", "hub", f"this account may push to {section.repo}")

"""Ask the user to confirm, or to correct, what was guessed: `tunekit init --interactive`."""

from collections.abc import Callable, Mapping

from tunekit import tasks
from tunekit.console import out
from tunekit.init.choosing import Choice, choices, choose
from tunekit.init.proposing import Look
from tunekit.tasks._guess import Seen

Ask = Callable[[str, str], str]  # a question and the answer to expect, which may be empty


def decide(look: Look, task: str | None, given: Mapping[str, str], ask: Ask | None) -> tuple[Seen, Choice]:
    """The task and its columns: as the user says, else as they seem; with `ask` each is confirmed.

    Raises:
        InputError: it is not clear what the data are meant for.
    """
    seen = look.seen(given)
    if ask is not None:
        task = ask_task(seen, task, ask)
        seen = look.seen(ask_columns(seen, task, ask))
    return seen, choose(seen, task, look.section.path)


def ask_task(seen: Seen, task: str | None, ask: Ask) -> str:
    """Show the columns and ask for the task."""
    for column in seen.columns:
        out.say(f"  {column.name}: {column.describe()}")
    found = choices(seen)
    likeliest = task or (found[0].task if found else "")
    if found and found[0].task == likeliest:
        out.say(f"{likeliest}: {found[0].guess.why}")
    return ask(f"Task ({', '.join(tasks.names())})", likeliest)


def ask_columns(seen: Seen, task: str, ask: Ask) -> dict[str, str]:
    """Ask for the column of each role."""
    kind = tasks.find(task)
    guess = kind.likelihood(seen)
    roles = guess.columns if guess else {**kind.inputs, **kind.targets_for(kind.Options())}
    guessed = guess.columns if guess else {}
    answers = {role: ask(f"Column of {role}", guessed.get(role, "")) for role in roles}
    return {**seen.given, **{role: column for role, column in answers.items() if column}}

"""Which task data are meant for: every task is asked, and the likeliest one wins if it stands out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tunekit import tasks
from tunekit.errors import InputError, listing
from tunekit.tasks._guess import NAMED, Guess, Seen
from tunekit.tasks.base import Task

MARGIN = 0.05  # by which the likeliest task must be ahead
SHOWN = 8  # columns that a message describes


@dataclass(frozen=True)
class Choice:
    """A task and what speaks for it."""

    task: str
    guess: Guess

    @property
    def kind(self) -> type[Task]:
        """The task's class."""
        return tasks.find(self.task)


def choices(seen: Seen) -> list[Choice]:
    """The tasks that data may be meant for, the likeliest first."""
    guesses = {name: tasks.find(name).likelihood(seen) for name in tasks.names()}
    found = [Choice(name, guess) for name, guess in guesses.items() if guess is not None]
    return sorted(found, key=lambda choice: -choice.guess.likelihood)


def choose(seen: Seen, task: str | None, source: str) -> Choice:
    """The task that is asked for, else the one that stands out.

    Raises:
        InputError: there is none, there are several, or the data cannot be used as they are; says what was
            seen, and how to say what is meant.
    """
    found = choices(seen) if task is None else of_task(seen, task, source)
    found = [choice for choice in found if task or not leaves_the_best(seen, choice.guess)]
    if not found:
        raise InputError(
            f"no task fits {source}: {described(seen)}. If one does, say which with --task NAME (of "
            f"{listing(tasks.names())}) and its columns with --column ROLE=COLUMN"
        )
    best, *others = found
    rivals = [c.task for c in others if best.guess.likelihood - c.guess.likelihood < MARGIN]
    if rivals:
        raise InputError(
            f"{source} could be meant for {' or '.join([best.task, *rivals])}: {described(seen)}. Say which "
            "with --task NAME, or name its columns with --column ROLE=COLUMN"
        )
    if best.guess.obstacle:
        raise InputError(f"{source} looks like {best.task}, but {best.guess.obstacle} ({described(seen)})")
    return replace(best, guess=with_id(best.guess, seen.given))


def of_task(seen: Seen, task: str, source: str) -> list[Choice]:
    """The guess of the task that is asked for.

    Raises:
        InputError: there is no such task, or it lacks a column; says which roles it has.
    """
    guess = tasks.find(task).likelihood(seen)
    if guess is None:
        raise InputError(
            f"{source} has no columns that are clearly those of {task}: {described(seen)}. Name them with "
            f"--column ROLE=COLUMN; its roles are {roles_of(tasks.find(task))}"
        )
    return [Choice(task, guess)]


def roles_of(kind: type[Task]) -> str:
    """The roles of a task, with what each holds."""
    roles = {**kind.inputs, **kind.targets_for(kind.Options())}
    return listing(f"{role} ({spec.kind})" for role, spec in roles.items())


def with_id(guess: Guess, given: Mapping[str, str]) -> Guess:
    """A guess with the column of row ids that the user names."""
    extra = {role: column for role, column in given.items() if role == "id"}
    return replace(guess, columns={**guess.columns, **extra})


def leaves_the_best(seen: Seen, guess: Guess) -> bool:
    """Whether rows are about something that a task would not look at: files of sound or film, or lists.

    Lists may stand beside columns that are called as usual.
    """
    unused = [column for column in seen.columns if column.name not in guess.columns.values()]
    lists = any(not column.distinct for column in unused)
    return any(column.is_media for column in unused) or (lists and guess.likelihood < NAMED)


def described(seen: Seen) -> str:
    """Every column with what it holds."""
    lines = [f"{column.name!r} ({column.describe()})" for column in seen.columns[:SHOWN]]
    more = len(seen.columns) - len(lines)
    return "it has " + ", ".join(lines) + (f" and {more} more columns" if more > 0 else "")

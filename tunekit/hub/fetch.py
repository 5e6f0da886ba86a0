"""Everything that a recipe needs of the Hub, in the cache, so that it can be run without a network."""

from collections.abc import Iterator
from dataclasses import dataclass

from tunekit import snapshots, tasks
from tunekit.data.hub import THING, load_hub
from tunekit.data.sources import on_hub
from tunekit.environment import hush
from tunekit.errors import Problems
from tunekit.models.checkpoint import inspect, local_folder
from tunekit.models.sentences import suited
from tunekit.recipe import DataSection, ModelSection, Recipe
from tunekit.recipe.sections import TaskSection
from tunekit.snapshots import Copy


@dataclass(frozen=True)
class File:
    """A file in the cache."""

    of: str  # the repository, in words
    name: str
    bytes: int
    was_there: bool


def fetch_all(recipe: Recipe) -> list[File]:
    """Fetch the checkpoint and the data set of a recipe; return every file of them that the cache now holds.

    What is on this machine anyway needs no fetching, and is not listed.

    Raises:
        InputError: one of them does not exist, or cannot be used.
        EnvironmentFailure: something can neither be fetched nor found in the cache; all of it is named.
    """
    hush()
    found, problems = list[File](), Problems()
    with problems.collect():
        found += fetch_model(recipe.model, recipe.task)
    with problems.collect():
        found += fetch_data(recipe.data)
    problems.raise_if_any()
    return found


def fetch_model(section: ModelSection, task: TaskSection) -> list[File]:
    """Fetch a checkpoint: its configuration, tokenizer or processor, card and weights."""
    if local_folder(section.name) is not None:
        return []
    before = snapshots.contents("model", section.name)
    checkpoint = inspect(section, tasks.find(task.name))
    checkpoint.complete()
    suited(task.options, checkpoint, None)  # asks for further files where the task reads them
    assert checkpoint.copy is not None  # it is not local
    return list(files_of(checkpoint.copy, before))


def fetch_data(section: DataSection) -> list[File]:
    """Fetch the files of a data set that its configuration names, and read them once."""
    if not on_hub(section):
        return []
    before = snapshots.contents(THING, section.path)
    load_hub(section)
    copy = snapshots.cached(THING, section.path, section.revision)
    assert copy is not None  # it has just been read
    return list(files_of(copy, before))


def files_of(copy: Copy, before: set[str]) -> Iterator[File]:
    """The files that the cache holds of a repository at one commit; `before` are the contents it had.

    A file is a link to its content, which files of several commits may share.
    """
    of = f"{copy.what} {copy.name} at {copy.commit[:8]}"
    for path in sorted(copy.folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(copy.folder).as_posix()
            yield File(of, name, path.stat().st_size, path.resolve().name in before)

"""Tasks, one per file. The name in a recipe is the file name here, with dashes."""

import importlib
import pkgutil

from tunekit.errors import InputError, listing, nearest
from tunekit.tasks.base import Task


def every() -> list[str]:
    """All tasks, in alphabetical order."""
    files = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in files if not name.startswith("_") and name != "base")


def names() -> list[str]:
    """The tasks a recipe may name, in alphabetical order."""
    return [name for name in every() if find(name).trainable]


def find(name: str) -> type[Task]:
    """The task class called `name`.

    Raises:
        InputError: no task file has that name.
    """
    if name not in every():
        raise InputError(f"there is no task {name!r}{nearest(name, names())}; there are {listing(names())}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    (task,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Task) and value.__module__ == module.__name__
    )
    return task

"""The files of a checkpoint's weights: which they are, and whether they are whole and nothing but weights."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from tunekit.errors import InputError, first_line, listing

WEIGHTS = ("*.safetensors", "*.bin")
WHOLE = ("model.safetensors", "pytorch_model.bin")  # each may be in shards, which an index lists
POINTER = b"version https://git-lfs"
MORE = "is damaged, or holds more than tensors, which is never read"


def check_weights(folder: Path, revision: str | None) -> None:
    """Refuse a folder whose weights are missing or damaged, or that is asked for a revision."""
    problems = list(weight_problems(folder))
    if revision is not None:
        problems.append(
            f"model.revision is {revision!r}, but {folder} is a folder and has no revisions; remove it"
        )
    if problems:
        raise InputError(problems)


def weight_problems(folder: Path) -> Iterator[str]:
    """Say which weights of a folder are missing or damaged."""
    try:
        files = weight_files(folder)
    except InputError as error:
        yield from error.problems
        return
    if not files:
        yield (
            f"model folder {str(folder)!r} has no weights (it holds {contents(folder)}); "
            f"there should be {' or '.join(WHOLE)}"
        )
    for file in files:
        wrong = damage(file) if file.is_file() else "is missing"
        if wrong:
            advice = "give safetensors instead" if wrong == MORE else "copy the weights again"
            yield f"{file} {wrong}; {advice}"


def weight_files(folder: Path) -> list[Path]:
    """The files of a folder that transformers would read weights from, in its order of preference."""
    there = [path.name for path in folder.glob("*") if path.is_file()]
    return [folder / name for name in names_of_weights(folder, there)]


def names_of_weights(folder: Path, files: Collection[str]) -> list[str]:
    """Which of some files transformers would read weights from; those that an index lists may be missing."""
    for name in WHOLE:
        index = f"{name}.index.json"
        if name in files:
            return [name]
        if index in files and (folder / index).is_file():
            return shards(folder / index)
    return []


def shards(index: Path) -> list[str]:
    """The files that an index lists.

    Raises:
        InputError: it is damaged.
    """
    try:
        names = set(json.loads(index.read_text())["weight_map"].values())
        return sorted(Path(name).name for name in names)  # none in another folder
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"the index of the weights in {index.parent} cannot be read ({first_line(error)}); copy it again"
        ) from None


def damage(file: Path) -> str:
    """What is wrong with a file of weights, as far as its head and size tell."""
    from safetensors import SafetensorError, safe_open

    with file.open("rb") as content:
        head = content.read(len(POINTER))
    if head == POINTER:
        return "is a pointer of git-lfs and not the weights themselves"
    if not head:
        return "is empty"
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="np"):
                pass
    except SafetensorError as error:
        return f"is damaged ({first_line(error)})"
    return "" if file.suffix == ".safetensors" else damage_of_bin(file)


def damage_of_bin(file: Path) -> str:
    """What is wrong with a .bin file, of which tensors are read: what else is in it never comes alive."""
    import zipfile

    import torch

    try:
        torch.load(file, map_location="meta", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # of as many kinds as there are kinds of damage
        return MORE if type(error).__name__ == "UnpicklingError" else f"is damaged ({first_line(error)})"
    return ""


def contents(folder: Path) -> str:
    """The names in a folder, for messages."""
    return listing(sorted(path.name for path in folder.iterdir()), 8) if any(folder.iterdir()) else "nothing"

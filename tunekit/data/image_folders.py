"""Folders that sort pictures by class: `CLASS/x.png`, or `train/CLASS/x.png` beside `test/CLASS/x.png`."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunekit.console import out
from tunekit.data.files import Table
from tunekit.data.images import SUFFIXES
from tunekit.errors import InputError, listing, nearest

ADVICE = "put each picture in the folder of its class, or list pictures and labels in a metadata.csv"
NOT_OF_THE_DATA = ("thumbs.db", "desktop.ini")  # what systems leave in folders


def holds_pictures(folder: Path) -> bool:
    """Whether there is a picture anywhere in a folder."""
    return any(Path(name).suffix.lower() in SUFFIXES for _, _, names in os.walk(folder) for name in names)


def read_classes(
    folder: Path, synonyms: Mapping[str, tuple[str, ...]], named: Mapping[Any, str | None] | None
) -> dict[str, list[Table]]:
    """The tables of a folder of pictures by split: columns image, label and id, the path in the folder.

    Raises:
        InputError: a split has no class folders, a class no pictures, or a picture no class; names each.
    """
    inside = {path.name: path for path in folders_in(folder)}
    usual = {split: inside[name] for name in inside for split in synonyms if name.lower() in synonyms[split]}
    only = next(iter(usual.values())) if len(usual) == 1 else folder
    if only != folder and len(inside) > 2 and not folders_in(only):
        out.say(f"{only.name} is a class like the other folders of {folder}: it holds none, as a split would")
        usual = {}
    wanted = usual or {"train": folder}
    if named:
        wanted = {split: split_folder(name, inside, folder, split) for split, name in named.items() if name}
    problems = [text for path in wanted.values() for text in wrong_in(path, folder)]
    if problems:
        raise InputError(problems)
    return {split: [table(path, folder)] for split, path in wanted.items()}


def split_folder(name: str, inside: Mapping[str, Path], folder: Path, split: str) -> Path:
    """The folder that a recipe names for a split."""
    if name not in inside:
        raise InputError(
            f"data.splits.{split} {name!r} is no folder in {folder}{nearest(name, inside)}; "
            f"there are {listing(inside)}: correct its name"
        )
    return inside[name]


def wrong_in(folder: Path, root: Path) -> Iterator[str]:
    """Say what keeps a split's folder from being one of classes."""
    split = ", and its name makes it a split" if folder != root else ""
    classes, loose = folders_in(folder), files_in(folder)
    pictures = [path.name for path in loose if path.suffix.lower() in SUFFIXES]
    count = f"{len(pictures)} pictures" if len(pictures) != 1 else "1 picture"
    if not classes:
        shown = f"({count} directly in it: {listing(pictures, 3)})"
        yield f"{folder} has no class folders {shown}{split}; {ADVICE}"
    elif pictures:
        yield f"{folder} has {count} outside its class folders ({listing(pictures, 3)}); {ADVICE}"
    for path in classes:
        if not any(each.is_file() for each in visible(path)):
            yield f"class folder {path} has no pictures; add some, or remove it"


def table(folder: Path, root: Path) -> Table:
    """Every file of the class folders as a row, so that what is no picture is named and not passed over."""
    rows = [(path, name.name) for name in folders_in(folder) for path in visible(name) if path.is_file()]
    return Table(
        str(folder),
        {
            "image": [{"bytes": None, "path": str(path)} for path, _ in rows],  # a path alone is also a text
            "label": [label for _, label in rows],
            "id": [path.relative_to(root).as_posix() for path, _ in rows],
        },
    )


def folders_in(folder: Path) -> list[Path]:
    """The folders directly in a folder, by name."""
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def files_in(folder: Path) -> list[Path]:
    """The files directly in a folder, by name."""
    return [path for path in sorted(folder.iterdir()) if path.is_file()]


def visible(folder: Path) -> Iterator[Path]:
    """What is in a folder at any depth, by path, without what systems leave there."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.name.lower() not in NOT_OF_THE_DATA:
            yield path

"""Where the rows are: which files, or which splits of a Hub data set, make up each split."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunekit.console import out
from tunekit.data.files import SUFFIXES, Table, from_dataset, read
from tunekit.data.hub import load_hub
from tunekit.data.image_folders import holds_pictures, read_classes
from tunekit.data.nested import opened
from tunekit.errors import LONGEST_PATH, InputError, Problems, cut, first_line, listing, nearest
from tunekit.recipe import SPLITS, DataSection

SYNONYMS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "eval"),
    "test": ("test",),
}
PICTURES_TOO = (
    "also holds pictures, whose folders are taken for their classes only where no data file lies beside "
    "them; where that is meant, remove the data file"
)
HUB_ID = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?")

Tables = dict[str, list[Table]]  # split -> its tables


def read_splits(section: DataSection) -> Tables:
    """The tables of each split that there is, train first.

    Raises:
        InputError: something is missing or cannot be read; every file with a problem is named.
        EnvironmentFailure: the Hub cannot be reached.
    """
    path = Path(os.path.expanduser(section.path))
    if on_hub(section):
        tables = dict(chosen(load_hub(section), section, section.path))
    elif os.path.exists(path):
        tables = read_local(section, path)
    else:
        raise InputError(missing(section.path, path))
    return {split: [opened(table) for table in tables[split]] for split in SPLITS if split in tables}


def on_hub(section: DataSection) -> bool:
    """Whether a path can only be meant for the Hub: nothing is there, and it is spelled as an id."""
    path = Path(os.path.expanduser(section.path))
    if os.path.exists(path):  # unlike Path.exists, False for names that no system would take
        return False
    return path.suffix.lower() not in SUFFIXES and HUB_ID.fullmatch(section.path) is not None


def missing(given: str, path: Path) -> str:
    """Say that a file does not exist, and which similar one does."""
    near = nearest(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
    return f"data.path {cut(given, LONGEST_PATH)!r} does not exist{near}; give a file, a folder or a Hub id"


def read_local(section: DataSection, path: Path) -> Tables:
    """The tables of a file or folder."""
    for key in ("config", "revision"):
        if getattr(section, key) is not None:
            raise InputError(
                f"data.{key} is {getattr(section, key)!r}, but {path} is on this machine, not on the Hub; "
                f"remove data.{key}, or correct data.path"
            )
    if is_saved(path):
        return read_saved(section, path)
    if is_of_classes(path):
        return read_classes(path, SYNONYMS, section.splits)
    problems, tables = Problems(), Tables()
    with problems.collect():
        for split, files in local_files(section, path).items():
            for file in files:
                with problems.collect():
                    table = read(
                        file,
                        section.encoding,
                        section.separator,
                        section.text_rows,
                        skip=section.bad_rows == "skip",
                    )
                    tables.setdefault(split, []).append(table)
    if problems.groups and path.is_dir() and holds_pictures(path):
        problems.groups.append([f"{path} {PICTURES_TOO}"])
    problems.raise_if_any()
    tell_unused(section, path, tables)
    return tables


def tell_unused(section: DataSection, path: Path, tables: Tables) -> None:
    """Name the data files of a folder that are not read because others are called after splits."""
    if section.splits or not path.is_dir():
        return
    read_from = {table.source for group in tables.values() for table in group}
    left = [file for file in data_files(path) if str(file) not in read_from and file.suffix.lower() != ".txt"]
    if left:
        names = listing((file.relative_to(path) for file in left), 4)
        out.say(
            f"not used: {names}, as other files of {path} are called {' and '.join(tables)}; name files with "
            "data.splits to read others"
        )


def is_saved(path: Path) -> bool:
    """Whether a path is a folder that `datasets` saved."""
    return path.is_dir() and any((path / name).exists() for name in ("dataset_dict.json", "state.json"))


def is_of_classes(path: Path) -> bool:
    """Whether a path is a folder of pictures that are sorted by class."""
    return path.is_dir() and not lists_rows(path) and holds_pictures(path)


def files_of(section: DataSection) -> list[Path]:
    """The files that rows are read from; none where they come from elsewhere, or nothing is there.

    Raises:
        InputError: a file is missing, or of an unknown format.
    """
    path = Path(os.path.expanduser(section.path))
    if not os.path.exists(path) or is_saved(path) or is_of_classes(path):
        return []
    return [file for files in local_files(section, path).values() for file in files]


def lists_rows(folder: Path) -> bool:
    """Whether a folder has a data file other than notes and lists in plain text."""
    return any(file.suffix.lower() != ".txt" for files in files_by_split(folder).values() for file in files)


def local_files(section: DataSection, path: Path) -> dict[str, list[Path]]:
    """The files of each split: those that the recipe names, else those that are called so."""
    folder = path if path.is_dir() else path.parent
    usual = files_by_split(path) if path.is_dir() else {"train": [path]}
    if not usual:
        raise InputError(f"folder {path} has no data files; put one in it that ends in {listing(SUFFIXES)}")
    names = {split: name for split, name in (section.splits or {}).items() if name is not None}
    found: dict[str, list[Path]] = {} if names and path.is_dir() else dict(usual)
    problems = Problems()
    for split, name in names.items():
        with problems.collect():
            found[split] = usual[name] if name in usual else [named_file(name, folder, split)]
    for file in (file for files in found.values() for file in files):
        with problems.collect():
            check_format(file)
    problems.raise_if_any()
    return found


def check_format(path: Path) -> None:
    """Refuse a file whose format cannot be read."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{path} has an unknown format {path.suffix!r}; convert it to one of {listing(SUFFIXES)}"
        )


def named_file(name: str, folder: Path, split: str) -> Path:
    """A split's file by name: beside the data, or from the current folder."""
    for path in (folder / name, Path(os.path.expanduser(name))):
        if os.path.isfile(path):
            return path
    near = nearest(name, [p.name for p in folder.iterdir()]) if folder.is_dir() else ""
    raise InputError(
        f"data.splits.{split} {cut(name, LONGEST_PATH)!r} is no file in {folder}{near}; correct its name"
    )


def files_by_split(folder: Path) -> dict[str, list[Path]]:
    """The data files of a folder by the split that their name begins with; all are train where none does."""
    files = data_files(folder)
    found: dict[str, list[Path]] = {}
    for file in files:
        words = [re.split(r"[-_.]", part.lower())[0] for part in file.relative_to(folder).parts]
        for split in SPLITS:
            if any(word in SYNONYMS[split] for word in words):
                found.setdefault(split, []).append(file)
                break
    if not found:
        return {"train": files} if files else {}
    return {split: found[split] for split in SPLITS if split in found}


def data_files(folder: Path) -> list[Path]:
    """The files at any depth in a folder whose format can be read, by path."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def read_saved(section: DataSection, path: Path) -> Tables:
    """The tables of a folder that `datasets` saved."""
    import datasets
    import pyarrow

    try:
        saved = datasets.load_from_disk(str(path))
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        raise InputError(
            f"folder {path} cannot be read as a data set that `datasets` saved: {first_line(error)}; "
            "save it again"
        ) from None
    splits = saved if isinstance(saved, datasets.DatasetDict) else {"train": saved}
    return dict(chosen(splits, section, str(path)))


def chosen(splits: Any, section: DataSection, source: str) -> Iterator[tuple[str, list[Table]]]:
    """The splits that the recipe names, or those with the usual names."""
    usual = {split: next((n for n in SYNONYMS[split] if n in splits), None) for split in SPLITS}
    wanted: Mapping[Any, str | None] = section.splits or usual
    if not any(wanted.values()):
        raise InputError(
            f"{source} has no split with a usual name; there are {listing(splits)}: "
            "name one with data.splits.train"
        )
    for split, name in wanted.items():
        if name is None:
            continue
        if name not in splits:
            raise InputError(
                f"data.splits.{split} {name!r} is no split of {source}{nearest(name, splits)}; "
                f"choose from {listing(splits)}"
            )
        yield split, [from_dataset(splits[name], f"{source} [{name}]")]

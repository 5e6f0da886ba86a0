"""Where the rows are: which files, or which splits of a Hub data set, make up each split."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunekit.data.files import SUFFIXES, Table, from_dataset, read
from tunekit.errors import InputError, Problems, first_line, listing, nearest
from tunekit.recipe import SPLITS, DataSection

SYNONYMS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "eval"),
    "test": ("test",),
}
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")

Tables = dict[str, list[Table]]  # split -> its tables


def read_splits(section: DataSection) -> Tables:
    """The tables of each split that there is.

    Raises:
        InputError: something is missing or cannot be read; every file with a problem is named.
    """
    path = Path(section.path).expanduser()
    if path.is_dir() and any((path / name).exists() for name in ("dataset_dict.json", "state.json")):
        return read_saved(section, path)
    if path.exists():
        return read_local(section, path)
    if path.suffix in SUFFIXES or not HUB_ID.fullmatch(section.path):
        raise InputError(missing(path))
    return read_hub(section)


def missing(path: Path) -> str:
    """Say that a file does not exist, and which similar one does."""
    near = nearest(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
    return f"data.path {str(path)!r} does not exist{near}; give a file, a folder or a Hub id"


def read_local(section: DataSection, path: Path) -> Tables:
    """The tables of local files."""
    problems, tables = Problems(), Tables()
    for split, files in local_files(section, path).items():
        for file in files:
            with problems.collect():
                tables.setdefault(split, []).append(read(file, section.encoding, section.separator))
    problems.raise_if_any()
    return tables


def local_files(section: DataSection, path: Path) -> dict[str, list[Path]]:
    """The files of each split."""
    if path.is_file():
        found = {"train": [known(path)]}
        for split, name in (section.splits or {}).items():
            if name is not None:
                found[split] = [named_file(name, path.parent, split)]
        return found
    by_split = files_by_split(path)
    if section.splits is None:
        if "train" not in by_split and not any(by_split.values()):
            raise InputError(
                f"folder {path} has no data files; there should be some ending in {listing(SUFFIXES)}"
            )
        return by_split
    return {
        split: by_split[name] if name in by_split else [named_file(name, path, split)]
        for split, name in section.splits.items()
        if name is not None
    }


def known(path: Path) -> Path:
    """A file whose format can be read."""
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path} has an unknown format {path.suffix!r}; tunekit reads {listing(SUFFIXES)}")
    return path


def named_file(name: str, folder: Path, split: str) -> Path:
    """A split's file by name: beside the data, or from the current folder."""
    for path in (folder / name, Path(name).expanduser()):
        if path.is_file():
            return known(path)
    near = nearest(name, [p.name for p in folder.iterdir()]) if folder.is_dir() else ""
    raise InputError(f"data.splits.{split} {name!r} is no file in {folder}{near}; correct its name")


def files_by_split(folder: Path) -> dict[str, list[Path]]:
    """The data files of a folder by the split that their name begins with; all are train where none does."""
    files = sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and not p.name.startswith("."))
    found: dict[str, list[Path]] = {}
    for file in files:
        words = [re.split(r"[-_.]", part.lower())[0] for part in file.relative_to(folder).parts]
        for split in SPLITS:
            if any(word in SYNONYMS[split] for word in words):
                found.setdefault(split, []).append(file)
                break
    return found if found else ({"train": files} if files else {})


def read_saved(section: DataSection, path: Path) -> Tables:
    """The tables of a folder that `datasets` saved."""
    import datasets

    saved = datasets.load_from_disk(str(path))
    splits = saved if isinstance(saved, datasets.DatasetDict) else {"train": saved}
    return dict(chosen(splits, section, str(path)))


def read_hub(section: DataSection) -> Tables:
    """The tables of a Hub data set, through the `datasets` library."""
    import datasets

    try:
        splits = datasets.load_dataset(section.path, section.config, revision=section.revision)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise InputError(
            f"data.path {section.path!r} is neither a file nor a data set that can be reached on the Hub "
            f"({first_line(error)}); correct the name, or log in when it is private"
        ) from None
    except datasets.exceptions.DatasetGenerationError as error:
        raise InputError(
            f"{section.path}: {first_line(error.__cause__ or error)}; choose another revision"
        ) from None
    except ValueError as error:
        raise InputError(f"{section.path}: {first_line(error)}; set data.config or data.revision") from None
    return dict(chosen(splits, section, section.path))


def chosen(splits: Any, section: DataSection, source: str) -> Iterator[tuple[str, list[Table]]]:
    """The splits that the recipe names, or those with the usual names."""
    usual = {split: next((n for n in SYNONYMS[split] if n in splits), None) for split in SPLITS}
    wanted: Mapping[Any, str | None] = section.splits or usual
    for split, name in wanted.items():
        if name is None:
            continue
        if name not in splits:
            raise InputError(
                f"data.splits.{split} {name!r} is no split of {source}{nearest(name, splits)}; "
                f"there are {listing(splits)}"
            )
        yield split, [from_dataset(splits[name], f"{source} [{name}]")]

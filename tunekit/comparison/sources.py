"""What is compared: the predictions of a run, or a bare file of them, also of other tools."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit import tasks
from tunekit.console import as_json
from tunekit.data.formats import lines_of
from tunekit.errors import InputError, first_line, listing
from tunekit.tasks.base import FOREIGN, Task

SPLITS = ("test", "validation")  # the first that all have is compared
JUDGE = "task.json"  # beside predictions: the task that they are judged by
OWN = ("id", "prediction", "reference", "scores")  # keys of a row that are no trait of the example


@dataclass(frozen=True)
class Source:
    """A system's answers as they are written down."""

    name: str  # as given
    file: Path
    rows: Mapping[Any, Mapping[str, Any]]  # by id
    task: Task | None  # with the options that it was judged by, where they are known
    task_name: str | None


def check_systems(
    systems: Sequence[str | Path], overrides: Sequence[str], output: str | Path | None
) -> list[str]:
    """The names of what is compared, before anything is scored.

    Raises:
        InputError: there are too few, a file should be scored, or the page has another ending than html.
    """
    if len(systems) < 2:
        raise InputError("a comparison needs two systems or more; give runs, models or files of predictions")
    files = [str(system) for system in systems if Path(system).is_file()]
    if files and overrides:
        raise InputError(
            f"{files[0]} is a file of predictions, which cannot be scored on {' '.join(overrides)}; "
            "leave these out, or give the model"
        )
    if output is not None and Path(output).suffix != ".html":
        raise InputError(f"--output {output} is a page; give it a name that ends in .html")
    return [str(system) for system in systems]


def has_predictions(path: Path) -> bool:
    """Whether a system's answers are there already."""
    return path.is_file() or bool(splits_of(path))


def read_all(paths: Sequence[Path], split: str | None, task: str | None) -> tuple[str | None, list[Source]]:
    """The split that is compared, if it is known, and what each path holds of it.

    Raises:
        InputError: a path has no predictions, no split is shared, or a file is no file of predictions.
    """
    folders = [path for path in paths if path.is_dir()]
    found = shared_split(folders, split) if folders else split
    files = [path / "predictions" / f"{found}.jsonl" if path.is_dir() else path for path in paths]
    return found, [read(path, file, task) for path, file in zip(paths, files, strict=True)]


def shared_split(folders: Sequence[Path], wanted: str | None) -> str:
    """The split to compare: the one that is asked for, else the first of test, validation and all others."""
    there = {folder: splits_of(folder) for folder in folders}
    for folder, splits in there.items():
        if not splits or (wanted and wanted not in splits):
            has = f"predictions for {listing(splits)}" if splits else "no predictions"
            advice = "choose with --split" if splits else f"make them with tunekit evaluate {folder}"
            asked = f", none for {wanted}" if wanted and splits else ""
            raise InputError(f"{folder} has {has}{asked}; {advice}")
    if wanted:
        return wanted
    first, *others = there.values()
    shared = [split for split in first if all(split in each for each in others)]
    if not shared:
        each = "; ".join(f"{folder}: {listing(splits)}" for folder, splits in there.items())
        raise InputError(f"no split has predictions everywhere ({each}); make them with tunekit evaluate")
    return next((split for split in SPLITS if split in shared), shared[0])


def splits_of(folder: Path) -> list[str]:
    """The splits that a folder has predictions for."""
    return sorted(file.stem for file in (folder / "predictions").glob("*.jsonl"))


def read(path: Path, file: Path, task: str | None) -> Source:
    """One system's answers.

    Raises:
        InputError: they cannot be read.
    """
    rows: dict[Any, Mapping[str, Any]] = {}
    for number, (line, row) in enumerate(lines(file)):
        key = row.get("id", number)
        if isinstance(key, list | dict):
            raise InputError(f"{file}:{line}: id {key!r} is no text or number; correct it")
        if key in rows:
            raise InputError(f"{file}:{line}: id {key!r} is there a second time; give every row its own")
        rows[key] = row
    if not rows:
        raise InputError(f"{file} holds no predictions; give a file with a JSON object on every line")
    name, judge = judged_by(file) if task is None else (task, bare_task(task))
    return Source(str(path), file, rows, judge, name)


def lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file of predictions with their line numbers."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file} cannot be read as predictions ({first_line(error)}); give a run, or a jsonl file"
        ) from None
    for number, line in enumerate(lines_of(text), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or "prediction" not in row:
            raise InputError(
                f"{file}:{number}: no JSON object with a prediction; "
                'write {"id": .., "prediction": .., "reference": ..} on every line'
            )
        for key in OWN:
            if not finite(row.get(key)):
                raise InputError(
                    f"{file}:{number}: {key} holds a number that is not finite; correct it, or drop the row"
                )
        yield number, row


def finite(value: Any) -> bool:
    """Whether no number in a value of JSON is infinite or NaN."""
    if isinstance(value, dict | list):
        return all(map(finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def keep_judge(folder: Path, name: str, task: Task) -> None:
    """Write down beside the predictions in a folder what judges them: no run need be around it."""
    facts = {"task": name, "options": task.options.model_dump(mode="json"), "labels": task.labels}
    (folder / "predictions" / JUDGE).write_text(as_json(facts, indent=2) + "\n", encoding="utf-8")


def judged_by(file: Path) -> tuple[str | None, Task | None]:
    """The task by which a file of predictions was judged, with its options, where that is known."""
    if file.parent.name != "predictions":
        return None, None
    folders = file.absolute().parents[1:4]  # the run, or one that was scored on other data
    inside = [folder / part / "tunekit.json" for folder in folders for part in ("model", "adapter")]
    for facts in (file.parent / JUDGE, *inside):
        if facts.is_file():
            try:
                said = json.loads(facts.read_text(encoding="utf-8"))
                kind = tasks.find(said["task"])
                options = kind.Options.model_validate(said["options"], context=FOREIGN)
                return said["task"], kind(options, None, said["labels"])
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{facts} is damaged ({first_line(error)}); take the folder from its run"
                ) from None
    return None, None


def bare_task(name: str) -> Task:
    """A task by its name, with the options that it has by default.

    Raises:
        InputError: there is none of that name.
    """
    kind = tasks.find(name)
    return kind(kind.Options(), None)

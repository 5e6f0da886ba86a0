"""Texts as vectors in a file, from a checkpoint as it is or from a finished run: `tunekit embed`.

A million rows are never in memory: they are read, answered and written in large chunks, sorted by length
inside each, by the path that evaluations take.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tunekit import evaluation, tasks
from tunekit.data.load import Rows
from tunekit.data.streams import stream
from tunekit.data.windows import encode
from tunekit.errors import InputError
from tunekit.models.checkpoint import inspect
from tunekit.models.finetuned import origin_of
from tunekit.models.load import Say, load_model, load_processor, token_limit
from tunekit.models.sentences import suited
from tunekit.network import at_revision
from tunekit.recipe import ModelSection
from tunekit.recipe.sentences import sentence
from tunekit.tasks.base import Task

TASK = "feature-extraction"
CHUNK = 16_384  # rows that are sorted by length and answered together

Vectors = NDArray[np.floating[Any]]  # (rows, hidden)


@dataclass(frozen=True)
class Summary:
    """What was written, and how the vectors were made."""

    output: str
    rows: int
    dimensions: int
    truncated: int  # texts of which a part was not read
    pooling: str
    normalize: bool
    prefix: str
    prefix_counts: bool  # whether the prefix's own tokens are in the mean
    lowercase: bool  # whether texts were read in small letters
    max_length: int
    dtype: str

    def document(self) -> dict[str, Any]:
        """The summary as plain data."""
        return asdict(self)


class Writer(Protocol):
    """A file that grows by chunks of rows."""

    def add(self, ids: list[Any], vectors: Vectors) -> None:
        """Write the vectors of further rows."""

    def finish(self) -> None:
        """Write what comes last."""

    def close(self) -> None:
        """Let go of the file, finished or not."""


def open_encoder(name: str, given: Mapping[str, Any], say: Say) -> tuple[Task, Any]:
    """The task and the model, in fp32 on the fastest device, for a run, a folder or `user/name[@revision]`.

    Raises:
        InputError: there is no such model, it reads no texts, or an option does not fit it.
        EnvironmentFailure: the Hub cannot be reached.
    """
    import torch

    kind = tasks.find(TASK)
    found, revision = at_revision(model_of(name))
    checkpoint = inspect(ModelSection(name=found, revision=revision), kind)
    processor = load_processor(checkpoint, kind, say)
    options = suited(chosen(kind, given), checkpoint, token_limit(checkpoint, processor))
    task = kind(options, processor, head=checkpoint.head)
    task.origin = origin_of(checkpoint.folder)
    model = load_model(checkpoint, task, say, attention=None, dropout=None)
    return task, model.eval().to(torch.accelerator.current_accelerator() or "cpu")


def chosen(kind: type[Task], given: Mapping[str, Any]) -> Any:
    """The options of a task that a user gives.

    Raises:
        InputError: there is no such option, or it cannot be so; names what can be.
    """
    try:
        return kind.Options.model_validate(given)
    except ValidationError as error:
        root = kind.Options
        raise InputError([sentence(option, each, root, ("embed",)) for each in error.errors()]) from None


def option(place: tuple[str, ...]) -> str:
    """An option as it is given to the command."""
    return f"--{place[-1].replace('_', '-')}"


def model_of(name: str) -> str:
    """The model folder of a run, or the name itself.

    Raises:
        InputError: the run has no model yet.
    """
    path = Path(name)
    if not (path / "run.json").is_file():
        return name
    if not (path / "model").is_dir():
        raise InputError(f"run {path} has no model yet; continue it with the command that began it")
    return str(path / "model")


def chunks(
    source: str, task: Task, columns: Mapping[str, str] | None, written: Mapping[str, str | None]
) -> Iterator[Rows]:
    """The rows of a source, many at a time."""
    rows = chain.from_iterable(stream(source, task, columns, **written))
    while part := list(islice(rows, CHUNK)):
        yield part


def write_vectors(
    task: Task,
    model: Any,
    source: str,
    output: Path,
    columns: Mapping[str, str] | None,
    dtype: str,
    written: Mapping[str, str | None] | None = None,
) -> Summary:
    """Write a vector for each row of a source, in order. The file appears under its name once it is whole.

    Raises:
        InputError: a row cannot be used, there are none, or the file's name says no format that is written.
    """
    beside = output.with_name(f".{output.name}.tmp")
    rows = truncated = dimensions = 0
    writer: Writer | None = None
    try:
        for chunk in chunks(source, task, columns, written or {}):
            encoded = encode(task, chunk, targets=False)
            vectors = np.stack(evaluation.undecided(task, model, chunk, encoded)).astype(dtype)
            writer = writer or FORMATS[output.suffix](beside, vectors)
            writer.add([row["id"] for row in chunk], vectors)
            rows, truncated, dimensions = rows + len(chunk), truncated + encoded.cut, vectors.shape[1]
        if writer is None:
            raise InputError(f"--input {source} has no rows; give a file with some")
        writer.finish()
        os.replace(beside, output)
    finally:
        if writer is not None:
            writer.close()
        beside.unlink(missing_ok=True)
    return Summary(str(output), rows, dimensions, truncated, dtype=dtype, **task.options.model_dump())


def check_output(output: Path, source: str) -> None:
    """Refuse a file whose name says no format that is written, whose folder is not there, or that is read.

    Raises:
        InputError: it is so.
    """
    if output.suffix not in FORMATS:
        raise InputError(f"--output {output} is none of {' and '.join(FORMATS)}; name one that ends so")
    if not output.parent.is_dir() or output.is_dir():
        raise InputError(f"--output {output} is a folder, or in a folder that is not there; name another")
    if output.exists() and Path(source).exists() and output.samefile(source):
        raise InputError(f"--output {output} is the input itself; name another file")


class NpyFile:
    """A .npy file of shape (rows, hidden), whose header is set right at the end."""

    def __init__(self, path: Path, like: Vectors) -> None:
        self.rows, self.like = 0, like
        self.file = path.open("wb")
        self.header()

    def header(self) -> None:
        """Write the header; numpy leaves room in it for any number of rows."""
        described = np.lib.format.header_data_from_array_1_0(self.like)
        shape = (self.rows, self.like.shape[1])
        np.lib.format.write_array_header_1_0(self.file, {**described, "shape": shape})

    def add(self, ids: list[Any], vectors: Vectors) -> None:
        """Append the vectors."""
        self.rows += len(vectors)
        self.file.write(np.ascontiguousarray(vectors).tobytes())

    def finish(self) -> None:
        """Say how many rows there are."""
        self.file.seek(0)
        self.header()
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()


class ParquetFile:
    """A parquet file with the columns `id` and `vector`, a row group for each chunk."""

    def __init__(self, path: Path, like: Vectors) -> None:
        self.path, self.like = path, like
        self.file: Any = None
        self.whole = True  # whether all ids so far are whole numbers

    def add(self, ids: list[Any], vectors: Vectors) -> None:
        """Append a row group. Ids are whole numbers as long as all are, else texts."""
        import pyarrow

        flat = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1))
        column = pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        if self.whole and not all(map(is_whole, ids)):
            self.whole = False
            self.write_texts()
        kind = pyarrow.int64() if self.whole else pyarrow.string()
        names = pyarrow.array(ids if self.whole else list(map(str, ids)), kind)
        self.write(pyarrow.table({"id": names, "vector": column}))

    def write(self, table: Any) -> None:
        """Append a table as a row group."""
        from pyarrow.parquet import ParquetWriter

        if self.file is None:
            self.file = ParquetWriter(self.path, table.schema)
        self.file.write_table(table)

    def write_texts(self) -> None:
        """Write what is there again, with texts for ids."""
        import pyarrow
        from pyarrow.parquet import ParquetFile as Reader

        if self.file is None:
            return
        self.finish()
        self.file, earlier = None, self.path.with_name(f"{self.path.name}.numbers")
        os.replace(self.path, earlier)
        try:
            with Reader(earlier) as reader:
                for group in map(reader.read_row_group, range(reader.num_row_groups)):
                    self.write(group.set_column(0, "id", group["id"].cast(pyarrow.string())))
        finally:
            earlier.unlink()

    def finish(self) -> None:
        """Write the footer."""
        self.file.close()
        with self.path.open("rb") as file:
            os.fsync(file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        if self.file is not None:
            self.file.close()


def is_whole(value: Any) -> bool:
    """Whether an id is a whole number that a column of 64 bits holds."""
    return type(value) is int and -(2**63) <= value < 2**63


FORMATS: dict[str, Callable[[Path, Vectors], Writer]] = {".npy": NpyFile, ".parquet": ParquetFile}

"""The command that turns texts into vectors. What is heavy is imported inside."""

from pathlib import Path
from typing import Annotated

import typer

from tunekit.cli.app import AsJson, Debug, Offline, Quiet, begin
from tunekit.cli.runs import Encoding, Separator, roles_and_columns
from tunekit.console import out


def embed(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A checkpoint's folder, user/name[@revision] of the Hub, or a finished run."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .npy or .parquet file to write.")],
    source: Annotated[
        str, typer.Option("--input", "-i", help="A file of rows, as for predict, or - for standard input.")
    ] = "-",
    column: Annotated[
        list[str] | None, typer.Option(help="text=COLUMN or id=COLUMN, where it cannot be inferred.")
    ] = None,
    separator: Separator = None,
    encoding: Encoding = None,
    pooling: Annotated[
        str | None, typer.Option(help="cls, mean or last; by default what the checkpoint says.")
    ] = None,
    normalize: Annotated[
        bool | None, typer.Option(help="Vectors of length 1; by default what the checkpoint says.")
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="Text before every text, such as 'query: '.")] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens of a text; by default what the checkpoint says.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Write 16-bit numbers, in half the space.")] = False,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Turn texts into vectors, straight from a checkpoint or a finished run: one row each, in order."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit import workflow
    from tunekit.data.manner import checked

    written = checked(separator, encoding)
    given = {"pooling": pooling, "normalize": normalize, "prefix": prefix, "max_length": max_length}
    options = {key: value for key, value in given.items() if value is not None}
    columns = roles_and_columns(column or [])
    done = workflow.embed(model, source, output, columns, half=half, written=written, **options)
    length = " of length 1" if done["normalize"] else ""
    text = (
        f"{done['rows']:,} vectors{length}, {done['dimensions']:,} numbers each ({done['pooling']} of up to "
        f"{done['max_length']:,} tokens): {done['output']}"
    )
    if done["truncated"]:
        out.warn(f"{done['truncated']:,} texts are longer than that and lose a part; see --max-length")
    out.result(done, text)

"""The application, what its commands have in common, and how results are shown."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tunekit.console import duration, out, score, table
from tunekit.environment import configure, process_index
from tunekit.launch import check_place

app = typer.Typer(
    name="tunekit",
    help="Fine-tune pretrained checkpoints on the classic tasks, from a YAML recipe.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Recipe keys to override.")
]
RunOrModel = Annotated[
    str,
    typer.Argument(
        metavar="RUN_OR_MODEL", help="A run directory, a model folder, or user/name[@revision] of the Hub."
    ),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results, warnings and errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Offline = Annotated[bool, typer.Option("--offline", help="Use no network.")]


def begin(*, as_json: bool, quiet: bool = False, offline: bool = False) -> None:
    """Set up how to talk, and what the libraries may do."""
    configure(offline=offline)
    check_place()
    out.json, out.quiet = as_json, quiet
    out.speaks = process_index() == 0


def show(run: str, status: str, metrics: dict[str, Any], facts: dict[str, Any]) -> None:
    """Print the result of a run: its metrics with their intervals, how long it took, and where it is."""
    seconds = facts.get("timings", {}).get("total")
    document = {"run": run, "status": status, "metrics": metrics, "seconds": seconds}
    rows = rows_of(metrics)
    lines = [table(["metric", "value", "95 % interval", "n"], rows)] if rows else []
    took = f" in {duration(seconds)}" if seconds else ""
    out.result(document, "\n".join([*lines, f"{status}{took}: {run}"]))


def show_several(run: str, metrics: dict[str, dict[str, Any]]) -> None:
    """Print the metrics of several adapters."""
    rows = [[adapter, *row] for adapter, found in metrics.items() for row in rows_of(found)]
    text = table(["adapter", "metric", "value", "95 % interval", "n"], rows)
    out.result({"run": run, "status": "finished", "adapters": metrics}, f"{text}\nfinished: {run}")


def rows_of(metrics: dict[str, Any]) -> list[list[str]]:
    """Metrics as rows of a table: name, value, interval and number of examples."""
    return [
        [f"{split} {name}", score(each["value"]), interval(each), str(each["n"])]
        for split, scores in metrics.items()
        for name, each in scores.items()
    ]


def interval(score: dict[str, Any]) -> str:
    """A metric's interval as text."""
    return "" if None in (score["low"], score["high"]) else f"{score['low']:.4f} to {score['high']:.4f}"

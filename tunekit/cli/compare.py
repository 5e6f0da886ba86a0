"""The command that compares systems. What is heavy is imported inside."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunekit.cli.app import AsJson, Debug, Offline, Quiet, begin
from tunekit.console import out, score, table
from tunekit.errors import cut

if TYPE_CHECKING:
    from tunekit.comparison import Comparison, Difference, Flip, Pair, Slice

SHOWN = 3  # examples that flipped, in each direction
LONGEST = 90  # characters of an answer
OUTSIDE = "O"  # the tag of a word that is in no entity


def compare(
    systems: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [...] [KEY=VALUE]...",
            help="Runs, files of predictions, model folders, or user/name[@revision] of the Hub; KEY=VALUE "
            "names other data to score them on, such as data.path=new.csv.",
        ),
    ],
    split: Annotated[
        str | None, typer.Option(help="The split to compare; by default test, else validation.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="The metric of the verdict; by default the task's first.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="NAME", help="The task of files that other tools wrote.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.html", help="Also write a page.")
    ] = None,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say whether a system is better than the first one or whether it is noise, and where they differ."""
    begin(as_json=as_json, quiet=quiet, offline=offline)
    from tunekit import workflow

    overrides = [each for each in systems if "=" in each and not Path(each).exists()]
    given = [each for each in systems if each not in overrides]
    found = workflow.compare(given, *overrides, split=split, metric=metric, task=task, output=output)
    for note in found.notes:
        out.say(note)
    page = [f"page: {output}"] if output else []
    out.result(found.facts(), "\n\n".join([*(described(pair, found) for pair in found.pairs), *page]))


def described(pair: "Pair", comparison: "Comparison") -> str:
    """Two systems as text; the verdict comes last."""
    split = f", {comparison.split}" if comparison.split else ""
    lines = [f"A = {pair.a}", f"B = {pair.b}", f"{pair.n:,} examples{split}", ""]
    lines.append(differences(pair.differences, several=len(comparison.pairs) > 1))
    if not pair.identical:
        lines += [*flips(pair), *slices(pair.slices)]
    return "\n".join([*lines, "", pair.verdict])


def differences(rows: "tuple[Difference, ...]", *, several: bool) -> str:
    """The table of metrics."""
    header = ["metric", "A", "B", "B - A", "95 % interval", "p", *(["corrected"] if several else [])]
    cells = [
        [
            *(each.metric, score(each.a), score(each.b), f"{each.value:+.4f}", interval(each)),
            *(chance(each.p), *([chance(each.adjusted)] if several else [])),
        ]
        for each in rows
    ]
    return table(header, cells)


def interval(found: "Difference | Slice") -> str:
    """An interval of a difference as text."""
    return "" if found.low is None or found.high is None else f"{found.low:+.4f} to {found.high:+.4f}"


def chance(p: float | None) -> str:
    """A p value as text."""
    return "<0.0001" if p is not None and p < 0.0001 else score(p)


def flips(pair: "Pair") -> list[str]:
    """How many examples flipped, McNemar's test of them, and the first."""
    test = pair.differences[0].mcnemar
    kind = f" ({'exact ' if test.exact else ''}McNemar p {chance(test.p)})" if test else ""
    lines = ["", f"B is worse on {len(pair.lost):,} examples and better on {len(pair.gained):,}{kind}"]
    for found, word in ((pair.lost, "worse"), (pair.gained, "better")):
        lines += [f"  {word}: {flipped(each)}" for each in found[:SHOWN]]
    return lines


def flipped(found: "Flip") -> str:
    """An example in a line."""
    texts = [cut(brief(each), LONGEST) for each in (found.reference, found.a, found.b)]
    return "id {}: right {}; A {}; B {}".format(found.id, *texts)


def brief(answer: Any) -> str:
    """An answer as text; of a sentence's tags those that mark something, with the number of their word."""
    if not isinstance(answer, list):
        return str(answer)
    marked = [f"{n} {tag}" for n, tag in enumerate(answer, 1) if tag != OUTSIDE]
    return ", ".join(marked if OUTSIDE in answer else map(str, answer)) or "nothing"


def slices(found: "tuple[Slice, ...]") -> list[str]:
    """The slices that are findings; without any, how many were looked at."""
    if not found:
        return []
    rows = [
        [
            *(f"{each.kind} {each.name}", f"{each.n:,}", each.metric, score(each.a), score(each.b)),
            *(f"{each.value:+.4f}", interval(each), chance(each.adjusted)),
        ]
        for each in found
        if each.found
    ]
    looked = f"{len(found):,} slices looked at"
    if not rows:
        return ["", f"{looked}: none differs beyond noise"]
    header = ["slice", "n", "metric", "A", "B", "B - A", "95 % interval", "corrected p"]
    return ["", f"{looked}; these differ:", table(header, rows)]

"""What a run rests on: data, checkpoint, machine, versions and times."""

from collections.abc import Iterator, Mapping
from typing import Any

from tunekit.console import duration
from tunekit.report.subject import Subject

DIGITS = 12  # of a hash or commit

Facts = list[tuple[str, str]]


def facts(subject: Subject) -> list[tuple[str, Facts]]:
    """The run's record in tables, each with its title; what is not recorded is left out."""
    known = subject.run.facts
    tables = {
        "training": list(training(known)),
        "data": list(data(known)),
        "checkpoint": list(checkpoint(known.get("checkpoint", {}))),
        "machine": [(name, said(value)) for name, value in known.get("hardware", {}).items()],
        "versions": [(name, said(value)) for name, value in known.get("versions", {}).items()],
    }
    return [(title, rows) for title, rows in tables.items() if rows]


def training(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was done, and how long it took."""
    for name in ("status", "command", "steps", "seed"):
        if name in known:
            yield name, said(known[name])
    best = known.get("best")
    if best:
        yield "kept", f"step {best['step']:,}: {best['metric']} {best['value']:.4f}"
        for name, value in (best.get("decision") or {}).items():
            yield name.replace("_", " "), said(value)
    for name, seconds in known.get("timings", {}).items():
        yield f"time, {name}", duration(seconds)


def data(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Rows, their fingerprints and columns, and what was left out or cut."""
    recorded = known.get("data", {})
    for split, each in recorded.get("splits", {}).items():
        yield split, f"{each['rows']:,} rows, sha256 {each['sha256'][:DIGITS]}"
    for name in ("columns", "commit"):
        if recorded.get(name):
            yield name, said(recorded[name])
    if recorded.get("skipped"):
        yield "rows left out", f"{len(recorded['skipped']):,}"
    windows = known.get("windows", {}).get("train")
    if windows:
        yield "training windows", f"{windows['windows']:,} of {windows['tokens']:,} tokens"
        yield "training rows that lose a part", f"{windows['truncated_rows']:,}"


def checkpoint(recorded: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The weights that training began with."""
    for name, value in recorded.items():
        if name == "sha256":
            yield from ((file, f"sha256 {digest[:DIGITS]}") for file, digest in value.items())
        elif value:
            yield name, said(value)


def said(value: Any) -> str:
    """A recorded value as people read it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {said(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(said, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)

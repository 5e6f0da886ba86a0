"""A report as HTML: every value is escaped, nothing is fetched, no code runs."""

import math
from functools import cache
from pathlib import Path
from typing import Any

from tunekit.console import HUGE, redact
from tunekit.report import calibration, curves, examples, facts, groups, head, labels, repeated, suspects
from tunekit.report.subject import Scored, Subject

TEMPLATES = Path(__file__).with_name("templates")


def run_page(subject: Subject) -> str:
    """The report of a run."""
    told, shown, scores = subject.told, subject.shown, head.scores(subject)
    values = {
        "title": head.title(subject),
        "scores": scores,
        "verdict": head.verdict(scores),
        "curves": curves.curves(subject),
        **(of_answers(subject, told) if told else NOTHING),
        "shown": shown.split if shown else None,
        "worst": examples.worst(subject, shown) if shown else [],
        "suspects": [row for scored in subject.scored.values() for row in suspect_rows(subject, scored)],
        "repeated": repeated.repeated(subject),
        "facts": facts.facts(subject),
        "recipe": subject.recipe.to_yaml(),
    }
    return render("report.html.jinja", values)


NOTHING: dict[str, Any] = dict.fromkeys(("told", "confusion", "labels", "calibration", "groups", "traits"))


def of_answers(subject: Subject, told: Scored) -> dict[str, Any]:
    """What the answers to a split say of the model."""
    return {
        "told": told.split,
        "confusion": labels.confusion(subject, told),
        "labels": labels.label_table(told),
        "calibration": calibration.calibration(told),
        "groups": groups.group_tables(told),
        "traits": groups.trait_table(told),
    }


def suspect_rows(subject: Subject, scored: Scored) -> list[dict[str, Any]]:
    """The likely wrong labels of a split, each with its row."""
    return [
        {**each, "name": scored.lines[each["number"]].name, **seen(subject, scored, each)}
        for each in suspects.listed(suspects.suspects(scored))
    ]


def seen(subject: Subject, scored: Scored, suspect: dict[str, Any]) -> dict[str, Any]:
    """What is shown of a row with a likely wrong label: the word and those around it, or the beginning."""
    line = scored.lines[suspect["number"]]
    tagged = subject.task.tagged(line.answer)
    if tagged is None or suspect["word"] is None:
        return examples.preview(subject, line.example)
    place, words = suspect["word"], tagged.words
    before, after = words[max(0, place - 6) : place], words[place + 1 : place + 7]
    return {"before": " ".join(before), "text": words[place], "after": " ".join(after), "picture": ""}


def render(template: str, values: dict[str, Any]) -> str:
    """A page from its template; tokens are taken out of it."""
    return redact(environment().get_template(template).render(values))


@cache
def environment() -> Any:
    """The templates, which escape every value."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": number, "percent": percent, "count": "{:,}".format}
    made.globals["place"] = place
    return made


def number(value: float | None) -> str:
    """A score: four digits behind the point, nothing where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) >= HUGE:
        return f"{value:.3e}"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.2f}"


def percent(value: float | None) -> str:
    """A share in percent."""
    return "–" if value is None else f"{100 * value:.1f} %" if value < 0.9995 or value == 1 else "> 99.9 %"


def place(value: float | None, low: float, high: float) -> float:
    """Where a value stands between two others, in percent."""
    if value is None or high <= low:
        return 0.0
    return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 2)

"""What a model cannot be trusted with, as far as its run tells: sentences for its card."""

from collections.abc import Iterator, Sequence

from tunekit.run import Run
from tunekit.tasks.base import Task

TEXTS = {"text", "texts", "words"}  # kinds of columns that are in a language


def limits(run: Run, task: Task, languages: str | Sequence[str] | None) -> Iterator[str]:
    """The limits of a run's model; `languages` are those that the base model's card names."""
    lengths = list(task.options.limits())
    yield from lengths
    yield from of_length(run, bool(lengths))
    if task.labels:
        yield f"It knows the {len(task.labels):,} labels of its training rows, and answers with no other."
    reads = {task.inputs[role].kind for role in task.given}
    if reads & TEXTS:
        yield "It knows the languages of its training rows; which these are is not recorded."
    if reads & TEXTS and languages:
        named = languages if isinstance(languages, str) else ", ".join(languages)
        yield f"The base model's card names these languages: {named}."
    yield from of_scores(run, task)
    yield "It was evaluated on no other data than this, and not for fairness, robustness or misuse."


def of_length(run: Run, limited: bool) -> Iterator[str]:
    """How many training rows were longer than what is read."""
    windows, rows = run.facts["windows"]["train"], run.facts["data"]["splits"]["train"]["rows"]
    cut, lost = windows["truncated_rows"], windows["rows_without_their_answer"]
    if cut:
        yield f"Of {rows:,} training rows {cut:,} ({cut / rows:.1%}) lost a part to that limit."
    elif limited:
        yield "No training row lost a part to that limit."
    if lost:
        yield f"Of {rows:,} training rows {lost:,} ({lost / rows:.1%}) show their whole answer in no window."


def of_scores(run: Run, task: Task) -> Iterator[str]:
    """What the scores rest on."""
    scored, splits = run.metrics(), run.facts["data"]["splits"]
    if "test" in scored:
        yield f"Its test scores rest on {splits['test']['rows']:,} rows; the intervals say how far they go."
    elif "validation" in scored:
        rows = splits["validation"]["rows"]
        yield (
            f"Its scores are of the {rows:,} validation rows by which the best step was chosen, so they are "
            "likely too high; there was no test split."
        )
    else:
        yield "It was scored on no rows but those that it was trained on."
    if task.decision:
        yield "Its thresholds were tuned on the validation rows."

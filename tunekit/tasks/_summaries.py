"""Columns of documents and of what sums them up, told from each other."""

from collections.abc import Mapping

from tunekit.tasks._guess import MEASURED, Column, Seen
from tunekit.tasks._roles import Role

LONGER = 1.5  # times a summary is a document, at least, where names alone do not tell
MUCH_LONGER = 2.5  # where no name tells, and then
MOST_SHARED = 0.5  # share of a summary's words that its document should have
RUN = 3  # words in a row that are copied, rather than said again


def long_and_short(seen: Seen, roles: Mapping[str, Role]) -> tuple[Column, tuple[str, Column]] | None:
    """A column of documents, and the one of their summaries with its role; None where there are none."""
    summary, role = seen.find("summary", roles["summary"]), "summary"
    if summary is None and (several := seen.find("summaries", roles["summaries"])) is not None:
        summary, role = several, "summaries"
    document = seen.find("document", roles["document"], [summary] if summary else [])
    document = document or next(iter(seen.texts([summary] if summary else [])), None)
    if document is None:
        return None
    if summary is None:
        others = seen.texts([document])
        summary = others[0] if len(others) == 1 else None
    if summary is None or (role == "summary" and not is_summary(summary, document, roles, seen)):
        return None
    return document, (role, summary)


def is_summary(summary: Column, document: Column, roles: Mapping[str, Role], seen: Seen) -> bool:
    """Whether texts are so much shorter than documents, and so different, that they can sum them up."""
    if "summary" in seen.given:
        return True
    times = document.usual_words / max(1, summary.usual_words)
    if summary.called([roles["summary"].column]) == 2:
        return times >= 1
    if not summary.is_texts or 2 * summary.distinct <= len(summary.values):
        return False
    if summary.called(roles["summary"].names):
        return times >= LONGER
    if any(column.repeats for column in seen.free([summary, document])):  # which may be what is asked
        return False
    return times >= MUCH_LONGER and shared_words(summary, document) > MOST_SHARED


def shared_words(summary: Column, document: Column) -> float:
    """The share of the words of summaries that are words of their documents, over some rows."""
    both = zip(summary.sample[:MEASURED], document.sample[:MEASURED], strict=True)
    words = [(a.lower().split(), set(b.lower().split())) for a, b in both if a and b]
    return sum(word in known for found, known in words for word in found) / max(
        1, sum(len(found) for found, _ in words)
    )


def share_copied(summary: str, document: str) -> float:
    """The share of a summary's runs of words that stand in its document; 0 where it is shorter than one."""
    known = set(runs_of(document))
    runs = runs_of(summary)
    return sum(run in known for run in runs) / max(1, len(runs))


def runs_of(text: str) -> list[tuple[str, ...]]:
    """All runs of words of a text."""
    words = text.lower().split()
    return [tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)]

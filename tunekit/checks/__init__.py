"""Everything that can be known before training: finders look at a recipe with its data, one thing each.

A finder takes a `Subject` and yields what it finds; those of one subject are in one file. `FINDERS` is all of
them, in the order in which they are shown.
"""

from collections.abc import Callable, Iterable

from tunekit.checks import columns, cost, duplicates, labels, lengths, target, traps
from tunekit.checks.finding import GRADES, Finding
from tunekit.checks.fixing import ALSO, Fixed, check_request, fix
from tunekit.checks.report import Report
from tunekit.checks.subject import Subject
from tunekit.console import out

__all__ = [
    "ALSO",
    "FINDERS",
    "GRADES",
    "Finding",
    "Fixed",
    "Report",
    "Subject",
    "check_request",
    "find_all",
    "fix",
]

FINDERS: tuple[Callable[[Subject], Iterable[Finding]], ...] = (
    *(columns.find_left_out, columns.find_wrong_columns, columns.find_placeholders),
    *(columns.find_wordless, columns.find_damaged_text),
    *(labels.count_labels, labels.find_rare_labels, labels.find_uneven_labels, labels.find_unscored_labels),
    *(
        duplicates.find_leaks,
        duplicates.find_conflicts,
        duplicates.find_repeats,
        duplicates.find_near_repeats,
    ),
    *(duplicates.find_overlap, duplicates.find_shared_parts),
    *(lengths.tell_lengths, lengths.find_cut_text, lengths.find_lost_parts, lengths.find_unknown_words),
    *(traps.find_pad_token, traps.find_precision, traps.find_direction, traps.find_lost_case),
    *(traps.find_lowered_limits, target.find_refusal, cost.find_disk_need, cost.find_cost),
)


def find_all(subject: Subject) -> list[Finding]:
    """What all finders find, in their order."""
    found: list[Finding] = []
    with out.live() as line:
        for number, finder in enumerate(FINDERS):
            line.update((finder.__doc__ or "").rstrip("."), number / len(FINDERS))
            found += finder(subject)
    return found

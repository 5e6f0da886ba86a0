"""All findings of a check: on one screen, as JSON, and as an exit code."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tunekit.checks.finding import GRADES, Finding, counted, of_problem
from tunekit.checks.fixing import Fixed
from tunekit.errors import LONGEST, MOST_SHOWN, EnvironmentFailure, InputError, cut

SHOWN = 3  # rows of a finding on the screen
WIDTH = 110  # characters of a line
INDENT = "    "


@dataclass
class Report:
    """What a check has found."""

    recipe: str
    findings: list[Finding] = field(default_factory=list)
    rows: Mapping[str, int] = field(default_factory=dict)  # by split
    fixed: Fixed | None = None

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Turn what the block raises about the input and the environment into findings."""
        try:
            yield
        except InputError as error:
            self.findings += [of_problem("input", problem) for problem in error.problems]
        except EnvironmentFailure as error:
            self.findings.append(of_problem("environment", str(error)))

    @property
    def code(self) -> int:
        """The exit code: 2 where the input is wrong, 3 where only the environment is, else 0."""
        errors = self.of("error")
        if any(finding.name != "environment" for finding in errors):
            return InputError.exit_code
        return EnvironmentFailure.exit_code if errors else 0

    def of(self, grade: str) -> list[Finding]:
        """The findings of a grade."""
        return [finding for finding in self.findings if finding.grade == grade]

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "recipe": self.recipe,
            "status": ("passed", "", "failed", "failed")[self.code],
            "rows": dict(self.rows),
            "counts": {grade: len(self.of(grade)) for grade in GRADES},
            "findings": [finding.document() for grade in GRADES for finding in self.of(grade)],
            "fixed": self.fixed.document() if self.fixed else None,
        }

    def text(self) -> str:
        """The report as one screen."""
        lines = [line for grade in GRADES for line in section(grade, self.of(grade))]
        head = ", ".join(counted(len(self.of(grade)), grade) for grade in GRADES)
        return "\n".join([*lines, *([self.fixed.sentence()] if self.fixed else []), f"{head}: {self.recipe}"])


def section(grade: str, findings: Sequence[Finding]) -> Iterator[str]:
    """The findings of a grade, the first ones in full."""
    if findings:
        yield f"{grade}s"
    for finding in findings[:MOST_SHOWN]:
        yield from wrapped(f"{finding.name}: {cut(finding.sentence, LONGEST)}", "  - ")
        if finding.rows and grade != "error":  # whose sentence says where
            more = len(finding.rows) - SHOWN
            yield from wrapped(
                ", ".join(finding.rows[:SHOWN]) + (f" and {more:,} more" if more > 0 else ""), INDENT
            )
    if len(findings) > MOST_SHOWN:
        yield f"  ... and {len(findings) - MOST_SHOWN:,} more like these"


def wrapped(text: str, start: str) -> list[str]:
    """A text on lines that fit, the first of which begins with `start`."""
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns)
    return textwrap.wrap(
        text,
        width,
        initial_indent=start,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )

"""The model card: what the model is, how to use it, and what its numbers rest on."""

from pathlib import Path

from tunekit.card.facts import facts_of
from tunekit.card.markdown import escape
from tunekit.card.metadata import benchmark_results, metadata
from tunekit.card.template import check_template, render
from tunekit.console import redact
from tunekit.recipe import Recipe
from tunekit.run import Run

__all__ = ["benchmark_results", "card", "check_template", "escape"]


def card(run: Run, recipe: Recipe, template: Path | None = None, *, repo: str = "user/name") -> str:
    """The card of a run's model as Markdown with its metadata; the model can be had as `repo`.

    A `template` of the user's own replaces the text, and never the metadata.

    Raises:
        InputError: the template cannot be filled in.
    """
    facts = facts_of(run, recipe, repo)
    return f"---\n{metadata(facts)}\n---\n\n{redact(render(facts, template))}"

"""The model card: what the model is, how to use it, and what its numbers rest on."""

from pathlib import Path

from tunekit.card.facts import facts_of, last_part, public_recipe
from tunekit.card.markdown import escape
from tunekit.card.metadata import benchmark_results, metadata
from tunekit.card.template import check_template, render
from tunekit.console import redact
from tunekit.recipe import HubSection, Recipe
from tunekit.run import Run

__all__ = ["benchmark_results", "card", "check_card", "escape", "last_part", "public_recipe"]

UNNAMED = "user/name"  # until it is pushed


def card(run: Run, recipe: Recipe, *, repo: str | None = None, alone: bool = False) -> str:
    """The card of a run's model, or of its adapter `alone`, as Markdown with its metadata.

    The model can be had as `repo`.
    A template that the recipe names replaces the text, and never the metadata.

    Raises:
        InputError: the template cannot be filled in.
    """
    alone = alone or run.finished_folder == run.adapter
    facts = facts_of(run, recipe, repo or recipe.hub.repo or UNNAMED, alone=alone)
    return f"---\n{metadata(facts)}\n---\n\n{redact(render(facts, template_of(recipe.hub)))}"


def check_card(section: HubSection) -> None:
    """Try the template that a recipe names, before anything is trained.

    Raises:
        InputError: it cannot be filled in.
    """
    template = template_of(section)
    if template:
        check_template(template)


def template_of(section: HubSection) -> Path | None:
    """The template that a recipe names."""
    return Path(section.card).expanduser() if section.card else None

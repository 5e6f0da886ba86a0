"""The recipe's file: where it goes, and that it is whole, or not there."""

import os
import tempfile
from pathlib import Path

from tunekit import recipe as recipes
from tunekit.errors import LONGEST_PATH, InputError, cut, listing
from tunekit.init.composing import compose
from tunekit.init.proposing import Proposal
from tunekit.recipe import Recipe
from tunekit.run import check_links


def place_for(data: str, output: Path | None, *, overwrite: bool) -> Path:
    """Where the recipe for some data goes: by default in the current folder, called as the data are.

    Raises:
        InputError: something is there already, or it is no place for a file.
    """
    name = Path(data).resolve().name if data.strip("./") == "" else Path(data).name
    place = output or Path(f"{Path(name).stem or 'data'}.yaml")
    if place.is_dir() or (place.exists() and not overwrite):
        advice = "name a file with --output" if place.is_dir() else "choose another --output, or --overwrite"
        raise InputError(f"{cut(str(place), LONGEST_PATH)} is already there; {advice}")
    if not place.absolute().parent.is_dir():
        raise InputError(f"{place.parent} is no folder; make it, or choose another --output")
    check_links(place)
    return place


def write(proposal: Proposal, place: Path) -> Recipe:
    """Write a proposal down, and read it as `finetune` will."""
    text = compose(proposal.values, proposal.notes, head(proposal, place))
    handle, beside = tempfile.mkstemp(dir=place.absolute().parent, prefix=".new-", suffix=".yaml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        recipe = recipes.load(beside)
        os.chmod(beside, 0o666 & ~mask())
        os.replace(beside, place)
    except BaseException:
        os.unlink(beside)
        raise
    return recipe


def mask() -> int:
    """The rights that new files of this process lack."""
    current = os.umask(0o077)
    os.umask(current)
    return current


def head(proposal: Proposal, place: Path) -> list[str]:
    """The paragraphs with which the recipe begins."""
    unused = f" Not used: {listing(map(repr, proposal.unused))}." if proposal.unused else ""
    return [
        f"{proposal.choice.task}: {proposal.choice.guess.why.rstrip('.')}.",
        f"  tunekit check {place}\n  tunekit finetune {place}",
        f"Rows: {proposal.sizes}.{unused}",
        "Written by tunekit init from a look at the data; every line can be changed. The model is the Hub id "
        "or the folder of any checkpoint. `tunekit schema` describes all settings.",
    ]

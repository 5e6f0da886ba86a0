"""Whether and from where a run is continued: it is refused when it began differently."""

from pathlib import Path
from typing import Any

from tunekit import checkpoint as checkpoints
from tunekit.console import out
from tunekit.errors import InputError
from tunekit.identity import differences
from tunekit.models.adapted import fingerprints
from tunekit.models.checkpoint import Checkpoint
from tunekit.recipe import Recipe
from tunekit.run import Run


def already_finished(run: Run, recipe: Recipe, *, resume: str, overwrite: bool) -> bool:
    """Whether there is nothing left to do.

    Raises:
        InputError: another recipe made the run, or the user wants no run to be continued.
    """
    if overwrite or run.status == "new":
        return False
    if resume == "never" and run.writes:
        raise InputError(
            f"{run.path} already holds a run; choose another --output, or --overwrite to begin anew"
        )
    if run.status != "finished":
        return False
    before = {section: run.facts["identity"].get(section) for section in recipe.resolved()}
    changed = differences(before, recipe.resolved())
    if changed:
        raise InputError(changes(run, changed))
    out.say(f"{run.path} is already finished; another --output begins anew, and so does --overwrite")
    return True


def named_checkpoint(resume: str) -> checkpoints.Saved | None:
    """The checkpoint that `--resume` names, if it does; a damaged one is refused, not replaced by another.

    Raises:
        InputError: it is damaged.
    """
    match = checkpoints.NAME.fullmatch(Path(resume).name)
    if match is None:
        return None
    saved = checkpoints.Saved(Path(resume), int(match[1]))
    wrong = checkpoints.damage(saved)
    if wrong:
        raise InputError(f"--resume {resume}: {wrong}; name another checkpoint, or use --resume auto")
    return saved


def changes(run: Run, changed: list[str]) -> list[str]:
    """Say that a run began differently, and in what."""
    return [
        f"run {run.path} began differently; choose another --output, or --overwrite to begin anew",
        *changed,
    ]


def refuse_changes(run: Run, identity: dict[str, Any]) -> None:
    """Refuse to continue a run with other settings, rows or versions than it began with."""
    changed = differences(run.facts["identity"], identity) if "identity" in run.facts else []
    if changed:
        raise InputError(changes(run, changed))


def refuse_other_base(run: Run, checkpoint: Checkpoint, model: Any) -> None:
    """Refuse to continue a run that keeps only what it trains, from other frozen weights than it began with.

    Raises:
        InputError: the checkpoint's weights have changed.
    """
    before = run.facts.get("checkpoint", {}).get("sha256")
    frozen = any(not parameter.requires_grad for parameter in model.parameters())
    if before and frozen and before != fingerprints(checkpoint):
        raise InputError(
            f"the weights of {checkpoint.name!r} are not those that run {run.path} began from, and it keeps "
            "only what it trains beside them; put them back, or choose another --output"
        )

"""What a pretrained checkpoint is, read from its configuration alone, before any weights are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunekit import tasks
from tunekit.errors import InputError, first_line, listing, nearest
from tunekit.recipe import ModelSection
from tunekit.tasks.base import Task

WEIGHTS = ("*.safetensors", "*.bin")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's name and configuration."""

    name: str
    revision: str | None
    config: Any

    def origin(self) -> dict[str, Any]:
        """The arguments that fetch anything from it; code from the Hub is never run."""
        return {
            "pretrained_model_name_or_path": self.name,
            "revision": self.revision,
            "trust_remote_code": False,
        }

    @property
    def commit(self) -> str | None:
        """The Hub's commit that was resolved."""
        return getattr(self.config, "_commit_hash", None)


def inspect(section: ModelSection, kind: type[Task]) -> Checkpoint:
    """Read a checkpoint's configuration and refuse what cannot work.

    Raises:
        InputError: there are no weights, or the checkpoint's family has no head for this task.
    """
    from transformers import AutoConfig

    folder = Path(section.name).expanduser()
    local = folder.is_dir()
    if local:
        check_folder(folder)
    elif folder.exists() or looks_local(section.name):
        near = (
            nearest(folder.name, [p.name for p in folder.parent.iterdir()]) if folder.parent.is_dir() else ""
        )
        raise InputError(
            f"model {section.name!r} is no folder{near}; give a checkpoint's folder or its Hub id"
        )
    name = str(folder) if local else section.name
    try:
        config = AutoConfig.from_pretrained(name, revision=section.revision, trust_remote_code=False)
    except ValueError as error:
        raise InputError(f"model {section.name!r}: {first_line(error)}; choose another checkpoint") from None
    if type(config) not in heads(kind):
        able = listing(able_tasks(config))
        raise InputError(
            f"model {section.name!r} ({config.model_type}) has no head for this task; it can do {able}; "
            "choose another checkpoint or task"
        )
    return Checkpoint(name, section.revision, config)


def check_folder(folder: Path) -> None:
    """Refuse a folder that is an adapter, or holds no configuration or weights."""
    if (folder / "adapter_config.json").exists():
        raise InputError(
            f"model {str(folder)!r} is an adapter, not a whole checkpoint; give the model it was made for"
        )
    inside = listing(sorted(p.name for p in folder.iterdir()), 8)
    if not (folder / "config.json").exists():
        raise InputError(
            f"model folder {str(folder)!r} has no config.json (it holds {inside}); give a checkpoint's folder"
        )
    if not any(next(folder.glob(pattern), None) for pattern in WEIGHTS):
        raise InputError(
            f"model folder {str(folder)!r} has no weights (it holds {inside}); "
            "there should be model.safetensors"
        )


def looks_local(name: str) -> bool:
    """Whether a name can only be meant as a path: Hub ids have at most one slash and no leading dot."""
    return name.startswith((".", "/", "~")) or name.count("/") > 1


def heads(kind: type[Task]) -> Mapping[type, Any]:
    """The model classes that have a task's head, by configuration class."""
    import transformers

    return getattr(transformers, kind.auto_model)._model_mapping  # type: ignore[no-any-return]


def able_tasks(config: Any) -> Iterator[str]:
    """The tasks that a checkpoint's family has heads for."""
    for name in tasks.names():
        if type(config) in heads(tasks.find(name)):
            yield name


def position_limit(config: Any) -> int | None:
    """The longest input the model has positions for; None where its positions have no end.

    Families that count positions from behind the pad token can use fewer than their configuration says;
    the position table itself knows.
    """
    import torch
    from transformers import AutoModel

    limits = (getattr(config, name, None) for name in ("max_position_embeddings", "n_positions"))
    limit = next((value for value in limits if isinstance(value, int) and value > 0), None)
    if limit is None:
        return None
    with torch.device("meta"):
        body = AutoModel.from_config(config, trust_remote_code=False)
    tables = [
        m for n, m in body.named_modules() if n.endswith("position_embeddings") and hasattr(m, "padding_idx")
    ]
    offset = tables[0].padding_idx + 1 if tables and tables[0].padding_idx is not None else 0
    return limit - offset

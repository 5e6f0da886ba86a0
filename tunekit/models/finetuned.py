"""A model folder that tunekit made, loaded back with plain transformers."""

import json
from pathlib import Path
from typing import Any

from tunekit import tasks
from tunekit.errors import InputError
from tunekit.tasks.base import Task


def find_folder(path: Path) -> Path:
    """The model folder of a run, or the folder itself.

    Raises:
        InputError: neither holds a model that tunekit made.
    """
    for folder in (path / "model", path):
        if (folder / "tunekit.json").is_file():
            return folder
    if (path / "run.json").is_file():
        raise InputError(f"run {path} has no model yet; continue it with the command that began it")
    raise InputError(
        f"{path} is neither a run nor a model that tunekit made (no tunekit.json); check the path"
    )


def load_task(folder: Path) -> tuple[str, Task]:
    """The task of a model folder, with its processor and labels."""
    import transformers

    facts = json.loads((folder / "tunekit.json").read_text())
    kind = tasks.find(facts["task"])
    processor = getattr(transformers, kind.auto_processor).from_pretrained(folder, trust_remote_code=False)
    return facts["task"], kind(kind.Options.model_validate(facts["options"]), processor, facts["labels"])


def load_weights(folder: Path, task: Task) -> Any:
    """The model of a folder, in fp32, ready to answer."""
    import transformers

    auto = getattr(transformers, task.auto_model)
    return auto.from_pretrained(folder, dtype="float32", trust_remote_code=False).eval()

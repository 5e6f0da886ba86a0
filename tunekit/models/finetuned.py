"""A model folder that tunekit made, loaded back with plain transformers."""

import json
from pathlib import Path
from typing import Any

from tunekit import tasks
from tunekit.errors import InputError, first_line
from tunekit.models.checkpoint import check_weights, read_config
from tunekit.models.families import find_head
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
    """The task of a model folder, with its processor and labels.

    Raises:
        InputError: its tunekit.json is damaged.
    """
    import transformers

    try:
        facts = json.loads((folder / "tunekit.json").read_text(encoding="utf-8"))
        kind = tasks.find(facts["task"])
        options = kind.Options.model_validate(facts["options"])
        labels = [str(each) for each in facts["labels"]]
        given = [role for role in facts["given"] if role in kind.inputs]
        learned, decision = dict(facts["learned"]), dict(facts["decision"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder}/tunekit.json is damaged ({first_line(error)}); take the folder from its run"
        ) from None
    config = read_config(str(folder), None, local=True)
    auto = getattr(transformers, kind.auto_processor)
    processor = auto.from_pretrained(folder, trust_remote_code=False, **kind.processor_options)
    task = kind(options, processor, labels, find_head(str(folder), config, kind))
    task.given = given
    task.learned, task.decision = learned, decision
    return facts["task"], task


def load_weights(folder: Path, task: Task) -> Any:
    """The model of a folder in fp32, on the fastest device there is, ready to answer.

    Raises:
        InputError: its weights are damaged.
    """
    import torch
    import transformers

    check_weights(folder, None)
    auto = getattr(transformers, task.head)
    model = auto.from_pretrained(folder, dtype="float32", trust_remote_code=False).eval()
    return model.to(torch.accelerator.current_accelerator() or "cpu")

"""A model folder that tunekit made, loaded back with plain transformers."""

import json
import re
from pathlib import Path
from typing import Any

from tunekit import tasks
from tunekit.errors import EnvironmentFailure, InputError, first_line
from tunekit.models.checkpoint import read_config
from tunekit.models.families import find_head
from tunekit.models.weights import check_weights
from tunekit.tasks.base import Task

HUB_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")  # nothing that could run


def find_folder(path: Path) -> Path:
    """The model folder of a run, the folder itself, or a copy of a model on the Hub.

    Raises:
        InputError: none of them holds a model that tunekit made.
        EnvironmentFailure: the Hub cannot be reached.
    """
    if not path.exists() and HUB_ID.fullmatch(str(path)):
        return fetched(str(path))
    for folder in (path / "model", path):
        if (folder / "tunekit.json").is_file():
            return folder
    if (path / "run.json").is_file():
        raise InputError(f"run {path} has no model yet; continue it with the command that began it")
    raise InputError(
        f"{path} is neither a run nor a model that tunekit made (no tunekit.json); check the path"
    )


def fetched(name: str) -> Path:
    """A copy of a model on the Hub that tunekit made.

    Raises:
        InputError: there is none of that name, or tunekit did not make it.
        EnvironmentFailure: the Hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(WANTED)))
    except RepositoryNotFoundError as error:
        raise InputError(
            f"{name!r} is no folder here, and no model of the Hub ({first_line(error)}); correct the name, "
            "or log in when it is private"
        ) from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise EnvironmentFailure(
            f"{name!r} is no folder here, and cannot be fetched from the Hub ({first_line(error)}); "
            "check the name and the network"
        ) from None
    if not (folder / "tunekit.json").is_file():
        raise InputError(f"model {name!r} of the Hub was not made by tunekit (it has no tunekit.json)")
    return folder


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
    config = read_config(str(folder), None, local=True)
    model = auto.from_pretrained(folder, config=config, dtype="float32", trust_remote_code=False).eval()
    return model.to(torch.accelerator.current_accelerator() or "cpu")

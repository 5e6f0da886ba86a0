"""A model folder that tunekit made, loaded back with plain transformers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunekit import snapshots, tasks
from tunekit.errors import InputError, first_line
from tunekit.models.adapted import base_of, is_adapter, load_adapted
from tunekit.models.adapters import WEIGHTS, trainable
from tunekit.models.checkpoint import read_config
from tunekit.models.families import find_head
from tunekit.models.weights import check_weights, names_of_weights
from tunekit.network import ID, absent, at_revision
from tunekit.recipe import DataSection
from tunekit.tasks.base import FOREIGN, Task

WANTED = ("*.json", "*.txt", "*.model", "*.jinja", "recipe.yaml", "README.md")  # beside the weights
ORIGIN = ("columns", "separator", "encoding")  # what is kept of how the data were written


def find_folder(path: Path, *, weights: bool = True) -> Path:
    """The model folder of a run, the folder itself, or a copy of `user/name[@revision]` of the Hub.

    Raises:
        InputError: none of them holds a model that tunekit made.
        EnvironmentFailure: the Hub cannot be reached.
    """
    name, revision = at_revision(str(path))
    if not path.exists() and ID.fullmatch(name):
        return fetched(name, revision, weights=weights)
    for folder in (path / "model", path / "adapter", path):
        if (folder / "tunekit.json").is_file():
            return folder
    if (path / "seeds.json").is_file():
        best = json.loads((path / "seeds.json").read_text(encoding="utf-8"))["best_run"]
        raise InputError(f"{path} holds runs of several seeds; name one of them, such as the best, {best}")
    if (path / "run.json").is_file():
        raise InputError(f"run {path} has no model yet; continue it with the command that began it")
    raise InputError(
        f"{path} is neither a run nor a model that tunekit made (no tunekit.json); check the path"
    )


def fetched(name: str, revision: str | None, *, weights: bool) -> Path:
    """A copy of a model on the Hub that tunekit made; without weights where these are not needed.

    Raises:
        InputError: there is none of that name, or tunekit did not make it.
        EnvironmentFailure: the Hub cannot be reached.
    """
    copy = snapshots.fetch("model", name, revision, WANTED, " (no folder here)")
    if not (copy.folder / "tunekit.json").is_file():
        if copy.files is None:
            raise absent(copy.thing, "tunekit.json")
        raise InputError(
            f"{copy.thing} of the Hub was not made by tunekit (it has no tunekit.json); begin from it "
            f"with finetune and model={name}, or give another"
        )
    if weights:
        if is_adapter(copy.folder):
            snapshots.complete(copy, [WEIGHTS])
            return copy.folder
        whole = [file for file in copy.known if not file.endswith(".bin")]  # tunekit writes safetensors
        snapshots.complete(copy, names_of_weights(copy.folder, whole))
        check_weights(copy.folder, None)
    return copy.folder


def load_task(folder: Path) -> tuple[str, Task]:
    """The task of a model folder, with its processor and labels.

    Raises:
        InputError: its tunekit.json is damaged.
    """
    import transformers

    try:
        facts = json.loads((folder / "tunekit.json").read_text(encoding="utf-8"))
        kind = tasks.find(facts["task"])
        options = kind.Options.model_validate(facts["options"], context=FOREIGN)
        labels = [str(each) for each in facts["labels"]]
        given = [role for role in facts["given"] if role in kind.inputs]
        learned, decision = dict(facts["learned"]), dict(facts["decision"])
        origin = origin_in(facts)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder}/tunekit.json is damaged ({first_line(error)}); take the folder from its run"
        ) from None
    config = base_of(folder, kind).config if is_adapter(folder) else read_config(folder, str(folder))
    auto = getattr(transformers, kind.auto_processor)
    processor = auto.from_pretrained(folder, trust_remote_code=False, **kind.processor_options)
    task = kind(options, processor, labels, find_head(str(folder), config, kind))
    task.given = given
    task.learned, task.decision, task.origin = learned, decision, origin
    return facts["task"], task


def origin_in(facts: Mapping[str, Any]) -> dict[str, Any]:
    """How the data of a model were written, as its tunekit.json says; nothing where it is older.

    Raises:
        ValueError: it says what no recipe could.
    """
    given = dict(facts.get("origin", {}))
    known = {key: given[key] for key in ORIGIN if key in given}
    return DataSection.model_validate({"path": "none", **known}).model_dump(include=set(known))


def origin_of(folder: Path) -> dict[str, Any]:
    """How the data of a folder's model were written; nothing where tunekit did not make it.

    Raises:
        InputError: its tunekit.json is damaged.
    """
    file = folder / "tunekit.json"
    try:
        return origin_in(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{file} is damaged ({first_line(error)}); take the folder from its run") from None


def load_weights(folder: Path, task: Task) -> Any:
    """The model of a folder in fp32, on the fastest device there is, ready to answer.

    Raises:
        InputError: its weights are damaged.
    """
    import torch
    import transformers

    device = torch.accelerator.current_accelerator() or "cpu"
    if is_adapter(folder):
        return trainable(load_adapted(folder, task)).to(device)
    check_weights(folder, None)
    auto = getattr(transformers, task.head)
    config = read_config(folder, str(folder))
    model = auto.from_pretrained(folder, config=config, dtype="float32", trust_remote_code=False).eval()
    return model.to(device)

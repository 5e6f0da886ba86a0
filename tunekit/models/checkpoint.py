"""What a pretrained checkpoint is, read from its configuration alone, before any weights are."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tunekit import snapshots
from tunekit.errors import (
    LONGEST_PATH,
    EnvironmentFailure,
    InputError,
    Problems,
    cut,
    first_line,
    listing,
    nearest,
)
from tunekit.models.families import find_head
from tunekit.models.weights import check_weights, contents, names_of_weights
from tunekit.network import absent
from tunekit.recipe import ModelSection
from tunekit.snapshots import Copy
from tunekit.tasks.base import Task

VOCABULARIES = ("tokenizer.json", "vocab*", "*.model", "*.spm", "*.tiktoken", "merges.txt")
SMALL = (  # what is fetched before anything is checked: all but the weights, and nothing that could run
    *("*.json", "*.txt", "*.model", "*.jinja", "*.spm", "*.bpe", "*.tiktoken"),
    "README.md",
)
MOST_REASON = 240  # characters of what transformers says


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's name and configuration."""

    name: str
    revision: str | None
    config: Any
    head: str  # the Auto class with the head for the task
    copy: Copy | None = None  # of one on the Hub

    def origin(self) -> dict[str, Any]:
        """The arguments that load anything from it; code of others is never run."""
        return {"pretrained_model_name_or_path": str(self.folder), "trust_remote_code": False}

    @property
    def folder(self) -> Path:
        """Where its files are: a folder of the user's, or that of a commit in the Hub's cache."""
        return self.copy.folder if self.copy else Path(self.name)

    @property
    def place(self) -> str:
        """Where it is found from any folder: its id on the Hub, or the whole path of a folder."""
        return self.name if self.copy else str(self.folder.absolute())

    @property
    def commit(self) -> str | None:
        """The Hub's commit that was resolved; None for a folder of the user's."""
        return self.copy.commit if self.copy else None

    def complete(self) -> None:
        """Fetch the weights of a checkpoint on the Hub, where they are not in the cache yet.

        Raises:
            InputError: they are damaged.
            EnvironmentFailure: they cannot be fetched.
        """
        if self.copy:
            snapshots.complete(self.copy, names_of_weights(self.folder, self.copy.known))
            check_weights(self.folder, None)


def inspect(section: ModelSection, kind: type[Task]) -> Checkpoint:
    """Read a checkpoint's configuration and refuse what cannot work.

    Raises:
        InputError: files are missing or damaged, or the checkpoint's family has no head for this task.
        EnvironmentFailure: the Hub cannot be reached, or a package is missing.
    """
    folder = local_folder(section.name)
    if folder is None:
        copy = snapshots.fetch("model", section.name, section.revision, SMALL, " (no folder here)")
        check_files(copy, kind)
        return described(section, kind, copy.folder, copy)
    return described(section, kind, folder, None)


def described(section: ModelSection, kind: type[Task], folder: Path, copy: Copy | None) -> Checkpoint:
    """The checkpoint in a folder, looked at.

    Raises:
        InputError: with every problem found.
    """
    name, problems = section.name if copy else str(folder), Problems()
    if copy is None:
        with problems.collect():
            check_weights(folder, section.revision)
    with problems.collect():
        config = read_config(folder, name)
        head = find_head(name, config, kind)
        if copy is None:
            check_tokenizer(folder, kind)
        check_attention(section.attention)
    problems.raise_if_any()
    return Checkpoint(name, section.revision, config, head, copy)


def check_files(copy: Copy, kind: type[Task]) -> None:
    """Refuse a repository that lacks a part of a checkpoint, before more of it is fetched.

    Raises:
        InputError: it lacks one.
        EnvironmentFailure: the cache lacks one, and the Hub could not be asked.
    """
    lacking = list(parts_lacking(copy, kind))
    if lacking and copy.files is None:
        raise absent(copy.thing, listing(lacking))
    if "adapter_config.json" in copy.known and "config.json" in lacking:
        raise InputError(
            f"{copy.thing} is an adapter, not a whole checkpoint; give the model it was made for"
        )
    if lacking:
        raise InputError(
            f"{copy.thing} lacks {listing(lacking)} (it holds {listing(copy.known, 8)}); choose another model"
        )


def parts_lacking(copy: Copy, kind: type[Task]) -> Iterator[str]:
    """The parts of a checkpoint that a repository, or the cache, does not have."""
    if "config.json" not in copy.known:
        yield "config.json"
    texts = kind.auto_processor == "AutoTokenizer"
    if copy.files is None and not has_processor(copy.held, texts=texts):
        yield "tokenizer files" if texts else "preprocessor_config.json"
    weights = names_of_weights(copy.folder, copy.known)
    yield from [name for name in weights if name not in copy.known] or ([] if weights else ["weights"])


def has_processor(files: Iterable[str], *, texts: bool) -> bool:
    """Whether some files can make up a tokenizer, or an image processor."""
    patterns = VOCABULARIES if texts else ("preprocessor_config.json",)
    return any(fnmatchcase(name, pattern) for name in files for pattern in patterns)


def local_folder(name: str) -> Path | None:
    """The folder of a checkpoint that is named by path; None for a Hub id.

    Raises:
        InputError: nothing is there, or something that is no whole checkpoint, such as an adapter or a run.
    """
    folder = Path(os.path.expanduser(name))
    if not os.path.isdir(folder):
        if not os.path.exists(folder) and not looks_local(name):
            return None
        beside = [p.name for p in folder.parent.iterdir() if p.is_dir()] if folder.parent.is_dir() else []
        near = nearest(folder.name, beside)
        raise InputError(
            f"model {cut(name, LONGEST_PATH)!r} is no folder{near}; give a checkpoint's folder or its Hub id"
        )
    if (folder / "adapter_config.json").exists():
        raise InputError(
            f"model {str(folder)!r} is an adapter, not a whole checkpoint; give the model it was made for"
        )
    if not (folder / "config.json").exists():
        inner = [str(path.parent) for path in sorted(folder.glob("*/config.json"))]
        raise InputError(
            f"model folder {str(folder)!r} has no config.json (it holds {contents(folder)}); "
            f"give {' or '.join(inner[:3]) or 'the folder of a checkpoint'}"
        )
    return folder


def read_config(folder: Path, name: str) -> Any:
    """The configuration in a folder, which says what the model is, and makes nothing be fetched or run.

    Raises:
        InputError: there is none, it is none that transformers knows, or it brings more than a model.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, TypeError, StrictDataclassError) as error:
        reason = cut(str(error).strip(), MOST_REASON)  # its second line may be the one that says it
        raise InputError(
            f"{name}/config.json describes no model that can be used ({reason}); correct it, or choose "
            "another checkpoint"
        ) from None
    refuse_additions(folder, name, config)
    config._attn_implementation = config._experts_implementation = None  # `org/name` would be fetched and run
    return config


def refuse_additions(folder: Path, name: str, config: Any) -> None:
    """Refuse a checkpoint with an adapter beside its weights, or quantized ones: both bring code of others.

    Raises:
        InputError: it has one of them.
    """
    shown, problems = repr(cut(name, LONGEST_PATH)), list[str]()
    if (folder / "adapter_config.json").exists():
        problems.append(
            f"model {shown} has an adapter beside its weights (adapter_config.json), which would be applied "
            "unasked; remove it, or give the model that it was made for"
        )
    if getattr(config, "quantization_config", None):
        problems.append(
            f"model {shown} is quantized (quantization_config); give the model that it was made from"
        )
    if problems:
        raise InputError(problems)


def check_tokenizer(folder: Path, kind: type[Task]) -> None:
    """Refuse a folder without a vocabulary: transformers would make up an empty one, all words unknown."""
    if kind.auto_processor == "AutoTokenizer" and not has_processor(os.listdir(folder), texts=True):
        raise InputError(
            f"model folder {str(folder)!r} has no tokenizer (it holds {contents(folder)}); "
            "put tokenizer.json beside the weights"
        )


def check_attention(name: str | None) -> None:
    """Refuse an attention implementation whose package is missing."""
    from transformers.utils import is_flash_attn_2_available

    if name == "flash_attention_2" and not is_flash_attn_2_available():
        raise EnvironmentFailure(
            "model.attention is flash_attention_2, but the package flash-attn cannot be used here; "
            "install it, or choose sdpa or eager"
        )


def looks_local(name: str) -> bool:
    """Whether a name can only be meant as a path: Hub ids have at most one slash and no leading dot."""
    return name.startswith((".", "/", "~")) or name.count("/") > 1


def position_limit(config: Any) -> int | None:
    """The longest input the model has positions for; None where its positions have no end.

    Families that count positions from behind the pad token can use fewer than their configuration says;
    the position table itself knows.

    Raises:
        InputError: the configuration contradicts itself.
    """
    import torch
    from transformers import AutoModel

    limits = (getattr(config, name, None) for name in ("max_position_embeddings", "n_positions"))
    limit = next((value for value in limits if isinstance(value, int) and value > 0), None)
    if limit is None:
        return None
    try:
        with torch.device("meta"):
            body = AutoModel.from_config(config, trust_remote_code=False)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"the configuration of model {config.name_or_path!r} describes no model that can be built "
            f"({first_line(error)}); correct it, or choose another checkpoint"
        ) from None
    tables = [
        m for n, m in body.named_modules() if n.endswith("position_embeddings") and hasattr(m, "padding_idx")
    ]
    offset = tables[0].padding_idx + 1 if tables and tables[0].padding_idx is not None else 0
    return limit - offset

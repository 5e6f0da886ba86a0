"""What a pretrained checkpoint is, read from its configuration alone, before any weights are."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from tunekit.recipe import ModelSection
from tunekit.tasks.base import Task

WEIGHTS = ("*.safetensors", "*.bin")
WHOLE = ("model.safetensors", "pytorch_model.bin")  # each may be in shards, which an index lists
VOCABULARIES = ("tokenizer.json", "vocab*", "*.model", "*.spm", "*.tiktoken", "merges.txt")
POINTER = b"version https://git-lfs"
MOST_REASON = 240  # characters of what transformers says
UNREACHABLE = {"ConnectionError", "HfHubHTTPError", "LocalEntryNotFoundError", "OfflineModeIsEnabled"}
ABSENT = {"RepositoryNotFoundError", "RevisionNotFoundError"}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's name and configuration."""

    name: str
    revision: str | None
    config: Any
    head: str  # the Auto class with the head for the task

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
        InputError: files are missing or damaged, or the checkpoint's family has no head for this task.
        EnvironmentFailure: the Hub cannot be reached, or a package is missing.
    """
    folder = local_folder(section.name)
    name = section.name if folder is None else str(folder)
    problems = Problems()
    if folder is not None:
        with problems.collect():
            check_weights(folder, section.revision)
    with problems.collect():
        config = read_config(name, section.revision, local=folder is not None)
        head = find_head(name, config, kind)
        if folder is not None:
            check_tokenizer(folder, kind)
        check_attention(section.attention)
    problems.raise_if_any()
    return Checkpoint(name, section.revision, config, head)


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


def contents(folder: Path) -> str:
    """The names in a folder, for messages."""
    return listing(sorted(path.name for path in folder.iterdir()), 8) if any(folder.iterdir()) else "nothing"


def read_config(name: str, revision: str | None, *, local: bool) -> Any:
    """A checkpoint's configuration.

    Raises:
        InputError: there is none, or it is none that transformers knows.
        EnvironmentFailure: the Hub cannot be reached, or does not let this account in.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
    except (OSError, ValueError, TypeError, StrictDataclassError) as error:
        if local:
            reason = cut(str(error).strip(), MOST_REASON)  # its second line may be the one that says it
            text = f"{name}/config.json describes no model that can be used ({reason}); correct it"
            raise InputError(f"{text}, or choose another checkpoint") from None
        kinds = {kind.__name__ for kind in type(error.__cause__ or error).__mro__}
        start, reason = f"model {cut(name, LONGEST_PATH)!r} is no folder here, and ", first_line(error)
        if "GatedRepoError" in kinds or (kinds & UNREACHABLE and not kinds & ABSENT):
            raise EnvironmentFailure(
                f"{start}cannot be fetched from the Hub ({reason}); "
                "check the name, the network and your access to it, or give a folder"
            ) from None
        raise InputError(f"{start}no checkpoint of the Hub ({reason}); correct the name") from None


def check_tokenizer(folder: Path, kind: type[Task]) -> None:
    """Refuse a folder without a vocabulary: transformers would make up an empty one, all words unknown."""
    texts = kind.auto_processor == "AutoTokenizer"
    if texts and not any(next(folder.glob(pattern), None) for pattern in VOCABULARIES):
        raise InputError(
            f"model folder {str(folder)!r} has no tokenizer (it holds {contents(folder)}); "
            "put tokenizer.json beside the weights"
        )


def check_weights(folder: Path, revision: str | None) -> None:
    """Refuse a folder whose weights are missing or damaged, or that is asked for a revision."""
    problems = list(weight_problems(folder))
    if revision is not None:
        problems.append(
            f"model.revision is {revision!r}, but {folder} is a folder and has no revisions; remove it"
        )
    if problems:
        raise InputError(problems)


def weight_problems(folder: Path) -> Iterator[str]:
    """Say which weights of a folder are missing or damaged."""
    try:
        files = weight_files(folder)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield f"the index of the weights in {folder} cannot be read ({first_line(error)}); copy it again"
        return
    if not files:
        yield (
            f"model folder {str(folder)!r} has no weights (it holds {contents(folder)}); "
            f"there should be {' or '.join(WHOLE)}"
        )
    for file in files:
        wrong = damage(file) if file.is_file() else "is missing"
        if wrong:
            yield f"{file} {wrong}; copy the weights again"


def weight_files(folder: Path) -> list[Path]:
    """The files that transformers would read weights from, in its order of preference."""
    for name in WHOLE:
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return [folder / name]
        if index.is_file():
            return [
                folder / shard for shard in sorted(set(json.loads(index.read_text())["weight_map"].values()))
            ]
    return []


def damage(file: Path) -> str:
    """What is wrong with a file of weights, as far as its head and size tell."""
    from safetensors import SafetensorError, safe_open

    with file.open("rb") as content:
        head = content.read(len(POINTER))
    if head == POINTER:
        return "is a pointer of git-lfs and not the weights themselves"
    if not head:
        return "is empty"
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="np"):
                pass
    except SafetensorError as error:
        return f"is damaged ({first_line(error)})"
    return ""


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

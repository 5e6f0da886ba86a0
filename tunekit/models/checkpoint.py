"""What a pretrained checkpoint is, read from its configuration alone, before any weights are."""

import os
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
    nearest,
)
from tunekit.models.families import find_head
from tunekit.models.weights import check_weights, contents
from tunekit.recipe import ModelSection
from tunekit.tasks.base import Task

VOCABULARIES = ("tokenizer.json", "vocab*", "*.model", "*.spm", "*.tiktoken", "merges.txt")
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
    def folder(self) -> Path:
        """Where its files are: a folder of the user's, or that of a commit in the Hub's cache."""
        from huggingface_hub import try_to_load_from_cache

        if Path(self.name).is_dir():
            return Path(self.name)
        found = try_to_load_from_cache(self.name, "config.json", revision=self.revision)
        return Path(found).parent if isinstance(found, str) else Path(self.name)

    @property
    def commit(self) -> str | None:
        """The Hub's commit that was resolved; None for a folder of the user's."""
        return None if self.folder == Path(self.name) else self.folder.name


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


def read_config(name: str, revision: str | None, *, local: bool) -> Any:
    """A checkpoint's configuration, which says what the model is, and makes nothing be fetched or run.

    Raises:
        InputError: there is none, it is none that transformers knows, or it brings more than a model.
        EnvironmentFailure: the Hub cannot be reached, or does not let this account in.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
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
    refuse_additions(name, revision, config)
    config._attn_implementation = config._experts_implementation = None  # `org/name` would be fetched and run
    return config


def refuse_additions(name: str, revision: str | None, config: Any) -> None:
    """Refuse a checkpoint with an adapter beside its weights, or quantized ones: both bring code of others.

    Raises:
        InputError: it has one of them.
    """
    from transformers.utils import find_adapter_config_file

    shown, problems = repr(cut(name, LONGEST_PATH)), list[str]()
    if find_adapter_config_file(name, revision=revision) is not None:
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
    texts = kind.auto_processor == "AutoTokenizer"
    if texts and not any(next(folder.glob(pattern), None) for pattern in VOCABULARIES):
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

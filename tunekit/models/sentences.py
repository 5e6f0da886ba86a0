"""What a checkpoint says of how its texts become vectors, in the files of sentence-transformers."""

import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from tunekit import snapshots
from tunekit.errors import InputError, first_line, listing
from tunekit.models.checkpoint import Checkpoint
from tunekit.models.families import continues

KNOWN = ("Transformer", "Pooling", "Normalize")  # modules that are computed here
OURS = {"cls": "cls", "mean": "mean", "lasttoken": "last"}  # by sentence-transformers' word
OLD = {  # the older words, each a key that is true or false
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "lasttoken",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
}


def suited(options: Any, checkpoint: Checkpoint, limit: int | None) -> Any:
    """A task's options for a checkpoint whose model and tokenizer read at most `limit` tokens.

    Raises:
        InputError: they ask for what the checkpoint cannot do.
    """
    if options.adopts:
        given = {name for name in options.model_fields_set if getattr(options, name) != "auto"}
        said = said_of(checkpoint, given)
        if limit is not None and "max_length" in said:
            said["max_length"] = min(limit, said["max_length"])
        options = options.adopted(said)
    return options.fitted(limit, checkpoint.head)


def said_of(checkpoint: Checkpoint, given: Container[str]) -> dict[str, Any]:
    """What a checkpoint says: how texts are read and pooled, and whether vectors are normalized.

    Raises:
        InputError: it makes vectors in a way that is not computed here, and the user gives none.
    """
    folder = checkpoint.folder
    said: dict[str, Any] = {"pooling": "last" if continues(type(checkpoint.config)) else "mean"}
    modules = [each for each in read_json(folder / "modules.json", []) if isinstance(each, dict)]
    if not modules:
        return said
    places = {str(each.get("type", "")).rsplit(".", 1)[-1]: str(each.get("path", "")) for each in modules}
    kinds = list(places)
    further = [kind for kind in kinds if kind not in KNOWN]
    if further and "pooling" not in given:
        raise InputError(
            f"{checkpoint.name} makes its vectors with {listing(further)} behind the pooling, which is not "
            "computed here; choose another checkpoint, or give pooling (cls, mean or last) to do without"
        )
    if "Pooling" in places:
        place = f"{Path(places['Pooling']).name}/config.json"  # nowhere else
        if checkpoint.copy:
            snapshots.complete(checkpoint.copy, [place], nested=True)
        settings = read_json(folder / place, {})
        said["pooling"] = pooling_of(checkpoint.name, settings, given)
        said["prefix_counts"] = bool(settings.get("include_prompt", True))
    said["normalize"] = "Normalize" in kinds
    reading = read_json(folder / "sentence_bert_config.json", {})
    said["lowercase"] = bool(reading.get("do_lower_case", False))
    longest = reading.get("max_seq_length")
    prompts = read_json(folder / "config_sentence_transformers.json", {})
    prefix = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name"))
    said |= {"max_length": longest} if isinstance(longest, int) and longest > 0 else {}
    return said | ({"prefix": prefix} if isinstance(prefix, str) else {})


def pooling_of(name: str, settings: Mapping[str, Any], given: Container[str]) -> str:
    """The pooling that a checkpoint's settings name.

    Raises:
        InputError: there is none such here, and the user gives none.
    """
    mode = settings.get("pooling_mode") or [word for key, word in OLD.items() if settings.get(key)]
    modes = [mode] if isinstance(mode, str) else list(mode)
    if len(modes) == 1 and modes[0] in OURS:
        return OURS[modes[0]]
    if "pooling" in given:
        return "mean"  # which is not used
    raise InputError(
        f"{name} makes its vectors by the pooling {listing(modes) or 'none'} (1_Pooling/config.json), which "
        "is not computed here; choose another checkpoint, or give pooling (cls, mean or last)"
    )


def read_json(path: Path, otherwise: Any) -> Any:
    """What a JSON file holds; something else where there is none.

    Raises:
        InputError: the file is damaged.
    """
    if not path.is_file():
        return otherwise
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path} is damaged ({first_line(error)}); take it from the checkpoint again"
        ) from None
    if not isinstance(found, type(otherwise)):
        raise InputError(f"{path} holds no {type(otherwise).__name__}; take it from the checkpoint again")
    return found

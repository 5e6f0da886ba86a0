"""What a run is made of: it is continued only with the same recipe, rows and versions."""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from tunekit.environment import processor

PACKAGES = ("tunekit", "torch", "transformers", "datasets", "accelerate", "evaluate", "tokenizers", "numpy")
MAY_CHANGE = {  # keys that do not change the result of a run that is continued
    ("data", "workers"),
    ("train", "micro_batch"),
    ("train", "log_every"),
    ("train", "save_every"),
    ("train", "keep"),
    *(("hub", key) for key in ("repo", "private", "revision", "create_pr", "adapter", "card", "benchmark")),
}


def origin(identity: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of the run it belongs to: hash of the recipe, hashes of the rows, versions."""
    kept = {
        section: {key: v for key, v in value.items() if (section, key) not in MAY_CHANGE}
        if isinstance(value, dict)
        else value
        for section, value in identity.items()
        if section not in ("rows of", "version of")
    }
    text = json.dumps(kept, sort_keys=True, default=str)
    return {
        "recipe": hashlib.sha256(text.encode()).hexdigest(),
        "rows": identity.get("rows of"),
        "versions": identity.get("version of"),
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The settings in which two resolved recipes differ, other than those that may change."""
    lines = []
    for section in {**before, **now}:
        old, new = before.get(section), now.get(section)
        if not isinstance(old, dict) or not isinstance(new, dict):
            lines += [f"{section}: {old} -> {new}"] if old != new else []
            continue
        for key in {**old, **new}:
            if old.get(key) != new.get(key) and (section, key) not in MAY_CHANGE:
                lines.append(f"{section}.{key}: {old.get(key)} -> {new.get(key)}")
    return lines


def versions() -> dict[str, str]:
    """The versions of what decides a result."""
    import tunekit

    found = {"python": platform.python_version(), "tunekit": tunekit.__version__}
    return found | {name: metadata.version(name) for name in PACKAGES if name != "tunekit"}


def hardware(device: str) -> dict[str, Any]:
    """What the run computes on."""
    import torch

    facts = {
        "device": device,
        "cpu": processor("model name") or platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
    }
    return facts | ({"gpu": torch.cuda.get_device_name()} if device == "cuda" else {})

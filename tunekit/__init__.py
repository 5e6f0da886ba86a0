"""tunekit fine-tunes pretrained checkpoints from recipes. The public names are those in `__all__`."""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = [
    "Recipe",
    "compare",
    "embed",
    "evaluate",
    "fetch",
    "finetune",
    "finetune_seeds",
    "predict",
    "push",
    "reproduce",
]

HOMES = {
    "Recipe": "tunekit.recipe",
    "compare": "tunekit.workflow",
    "embed": "tunekit.workflow",
    "evaluate": "tunekit.workflow",
    "fetch": "tunekit.workflow",
    "finetune": "tunekit.workflow",
    "finetune_seeds": "tunekit.seeds",
    "predict": "tunekit.workflow",
    "push": "tunekit.workflow",
    "reproduce": "tunekit.reproduction",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that `import tunekit` stays light."""
    if name not in HOMES:
        raise AttributeError(f"module 'tunekit' has no attribute {name!r}")
    return getattr(importlib.import_module(HOMES[name]), name)

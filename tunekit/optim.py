"""Optimizers and learning rate schedules, by their names in a recipe."""

from typing import Any

from tunekit.models.quantization import library as bitsandbytes
from tunekit.recipe import TrainSection

SCHEDULES = {  # the names that transformers gives them
    "linear": "linear",
    "cosine": "cosine",
    "constant": "constant_with_warmup",
    "inverse-sqrt": "inverse_sqrt",
    "wsd": "warmup_stable_decay",
}
DECAY_SHARE = 0.1  # of all steps, at the end of wsd


def make_optimizer(section: TrainSection, model: Any) -> Any:
    """The optimizer over all trainable parameters; matrices decay, biases and norms do not."""
    import torch

    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if decays(p)], "weight_decay": section.weight_decay},
        {"params": [p for p in parameters if not decays(p)], "weight_decay": 0.0},
    ]
    if section.optimizer == "adafactor":
        return torch.optim.Adafactor(groups, lr=section.learning_rate)
    if section.optimizer == "adamw-8bit":
        return bitsandbytes().optim.AdamW8bit(groups, lr=section.learning_rate)
    if section.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=section.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=section.learning_rate, fused=True)


def decays(parameter: Any) -> bool:
    """Whether a parameter is a matrix, and none whose maker says that it must not shrink."""
    return parameter.ndim >= 2 and getattr(parameter, "decays", True)


def make_schedule(section: TrainSection, optimizer: Any, steps: int) -> Any:
    """The learning rate over `steps` optimizer steps."""
    import transformers

    warmup = warmup_steps(section.warmup, steps)
    special = {"num_decay_steps": max(1, round(steps * DECAY_SHARE))} if section.schedule == "wsd" else None
    return transformers.get_scheduler(
        SCHEDULES[section.schedule],
        optimizer,
        num_warmup_steps=warmup,
        num_training_steps=steps,
        scheduler_specific_kwargs=special,
    )


def warmup_steps(warmup: float, steps: int) -> int:
    """Below 1 a share of all steps, else a number of steps."""
    return round(warmup * steps) if warmup < 1 else int(warmup)

"""Processors and models from checkpoints, with the guards that the libraries leave out."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunekit.errors import InputError, first_line, listing
from tunekit.models.checkpoint import Checkpoint, position_limit
from tunekit.models.families import classes
from tunekit.models.quantization import quantized
from tunekit.models.weights import WEIGHTS
from tunekit.tasks.base import Task

MOST_MISSING = 0.2  # share of the body's parameters that may be missing from a checkpoint
PROCESSORS = {  # what they are and which files they need, for messages
    "AutoTokenizer": ("tokenizer", "tokenizer files"),
    "AutoImageProcessor": ("image processor", "preprocessor_config.json"),
}
UNLIMITED = 1_000_000  # tokenizers without a limit of their own say more than this

Say = Callable[[str], None]


def load_processor(checkpoint: Checkpoint, kind: type[Task], say: Say) -> Any:
    """The tokenizer or image processor of a checkpoint, with a pad token."""
    import transformers

    auto = getattr(transformers, kind.auto_processor)
    words = {"split_special_tokens": True} if kind.auto_processor == "AutoTokenizer" else {}
    what, files = PROCESSORS[kind.auto_processor]
    try:
        processor = auto.from_pretrained(**checkpoint.origin(), **words, **kind.processor_options)
    except (OSError, ValueError) as error:
        raise InputError(
            f"model {checkpoint.name!r} has no {what} that can be read ({first_line(error)}); "
            f"put its {files} beside the weights"
        ) from None
    lacking = list(kind.lacks(processor, checkpoint.head))
    if lacking:
        raise InputError([f"model {checkpoint.name!r}: {text}" for text in lacking])
    check_vocabulary(checkpoint, processor)
    if kind.auto_processor == "AutoImageProcessor":
        check_size(checkpoint, kind, processor)
    if kind.aligned and not getattr(processor, "is_fast", True):
        raise InputError(
            f"model {checkpoint.name!r} has only a slow tokenizer, without alignments; choose another"
        )
    if getattr(processor, "pad_token", "given") is None:
        processor.pad_token = processor.eos_token or processor.unk_token
        say(f"the tokenizer has no pad token; {processor.pad_token!r} stands in for it, masked")
    return processor


def check_size(checkpoint: Checkpoint, kind: type[Task], processor: Any) -> None:
    """Refuse an image processor whose pictures the model does not take, by a try without any numbers."""
    import torch
    import transformers

    shape = kind.keep(processor, "image", np.zeros((64, 64, 3), np.uint8)).shape
    auto = getattr(transformers, checkpoint.head)
    try:
        with torch.device("meta"), torch.inference_mode():
            model = auto.from_config(checkpoint.config, trust_remote_code=False).eval()
            model(pixel_values=torch.empty(1, *shape))
    except NotImplementedError:  # an operation that needs numbers
        return
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"the image processor of {checkpoint.name!r} makes {shape[1]} x {shape[2]} pixels in {shape[0]} "
            f"colours, which the model does not take ({first_line(error)}); "
            "set size in preprocessor_config.json to what the model was trained with"
        ) from None


def check_vocabulary(checkpoint: Checkpoint, processor: Any) -> None:
    """Refuse a tokenizer that is empty, or knows tokens that the model has no embedding for."""
    if not hasattr(processor, "all_special_tokens"):
        return
    tokens, rows = len(processor), getattr(checkpoint.config, "vocab_size", None)
    if rows is not None and tokens > rows:
        raise InputError(
            f"the tokenizer of {checkpoint.name!r} has {tokens:,} tokens, but the model has embeddings for "
            f"{rows:,}; put the tokenizer that the model was trained with beside the weights"
        )
    if tokens <= len(processor.all_special_tokens):
        raise InputError(
            f"the tokenizer of {checkpoint.name!r} has an empty vocabulary; "
            "put its tokenizer files beside the weights"
        )


def token_limit(checkpoint: Checkpoint, processor: Any) -> int | None:
    """The longest input, in tokens, that both the model and its tokenizer take."""
    limits = [position_limit(checkpoint.config), getattr(processor, "model_max_length", None)]
    return min((limit for limit in limits if limit is not None and limit < UNLIMITED), default=None)


def load_model(
    checkpoint: Checkpoint,
    task: Task,
    say: Say,
    *,
    attention: str | None,
    dropout: float | None,
    bits: int | None = None,
) -> Any:
    """The checkpoint in fp32 with a head for the task; with `bits` all but the head is in so many bits.

    A head trained for the same task is kept, row by row where label names agree; any other head starts anew.
    `new_weights` of the model are the names of those that the checkpoint does not have.

    Raises:
        InputError: the body's weights are not in the checkpoint.
        EnvironmentFailure: they cannot be fetched.
    """
    import transformers

    checkpoint.complete()
    config, auto = checkpoint.config, getattr(transformers, task.head)
    kept, old = trained_labels(checkpoint), None
    if not set(kept) & set(task.labels):
        kept = []  # a head for other labels knows nothing of these
    elif kept != task.labels:
        old = auto.from_pretrained(**checkpoint.origin(), config=config, dtype="float32")
    prepare_config(config, task, dropout)
    notice_bin(checkpoint, say)
    model, info = auto.from_pretrained(
        **checkpoint.origin(),
        config=config,
        dtype="float32",
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        **({"attn_implementation": attention} if attention else {}),
        **(quantized(bits, auto, config) if bits else {}),
    )
    if body_is_elsewhere(model, info):
        info = place_body(model, info, checkpoint)
    check_body(model, info, checkpoint.name, say, task.unread)
    fresh = {*info["missing_keys"], *(m[0] for m in info["mismatched_keys"])}
    model.new_weights = fresh
    filled = {key for key, _ in head_parameters(model)} - fresh
    if task.labels and (not kept or old is not None) and filled:
        renew_head(model, auto, config)
    if old is not None:
        same = inherit_rows(model, old, kept, task.labels)
        say(f"the checkpoint's head knows {listing(same)} already; the other labels start anew")
    elif not kept and (task.labels or any(key in fresh for key, _ in head_parameters(model))):
        say("the head is new and starts from random weights")
    return task.prepare_model(model)


def trained_labels(checkpoint: Checkpoint) -> list[str]:
    """The label names of the checkpoint's head, in order; none where its head is for something else."""
    config = checkpoint.config
    head = classes(checkpoint.head)[type(config)]
    able = head if isinstance(head, tuple | list) else (head,)
    made_for = getattr(config, "architectures", None) or []
    of_numbers = getattr(config, "problem_type", None) == "regression"
    if of_numbers or not any(cls.__name__ in made_for for cls in able):
        return []
    return [str(config.id2label[i]) for i in sorted(config.id2label)]


def prepare_config(config: Any, task: Task, dropout: float | None) -> None:
    """Write the labels, the pad token and the dropout rate into a configuration."""
    for name, value in task.model_options().items():
        setattr(config, name, value)
    pad = getattr(task.processor, "pad_token_id", None)
    if pad is not None:
        config.pad_token_id = pad
    if dropout is not None:
        config.classifier_dropout = (
            dropout  # heads drop at a rate of their own where a configuration has none
        )
        for name, value in config.to_dict().items():
            if ("dropout" in name or name.endswith("_pdrop")) and isinstance(value, float | int):
                setattr(config, name, dropout)


def notice_bin(checkpoint: Checkpoint, say: Say) -> None:
    """Say so when weights come from a .bin file, which torch reads without running code."""
    if not any(checkpoint.folder.glob(WEIGHTS[0])):
        say(
            f"{checkpoint.name} has only .bin weights; they are read with weights_only=True and saved as "
            "safetensors"
        )


def body_is_elsewhere(model: Any, info: dict[str, Any]) -> bool:
    """Whether a head found nothing of its body: some look for it under a name that no checkpoint uses."""
    names = {key for key, _ in model.named_parameters()} - {key for key, _ in head_parameters(model)}
    return model.base_model is not model and bool(names) and names <= set(info["missing_keys"])


def place_body(model: Any, info: dict[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """Put the body that the checkpoint gives by itself into a model; returns what is still missing."""
    from transformers import AutoModel

    body, found = AutoModel.from_pretrained(
        **checkpoint.origin(),
        config=checkpoint.config,
        dtype="float32",
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    if type(body) is not type(model.base_model):
        return info
    model.base_model.load_state_dict(body.state_dict())
    prefix = f"{model.base_model_prefix}."
    outside = {key for key in info["missing_keys"] if not key.startswith(prefix)}
    mismatched = [(f"{prefix}{key}", *shapes) for key, *shapes in found["mismatched_keys"]]
    return {
        **info,
        "missing_keys": outside | {f"{prefix}{key}" for key in found["missing_keys"]},
        "mismatched_keys": [*info["mismatched_keys"], *mismatched],
    }


def check_body(model: Any, info: dict[str, Any], name: str, say: Say, unread: tuple[str, ...] = ()) -> None:
    """Refuse a model whose body did not load, which transformers lets pass (issue 30381)."""
    head = {key for key, _ in head_parameters(model)}
    head |= {key for key, _ in model.named_parameters() if key.startswith(unread)}
    sizes = {key: parameter.numel() for key, parameter in model.named_parameters() if key not in head}
    absent = [
        key for key in (*info["missing_keys"], *(m[0] for m in info["mismatched_keys"])) if key in sizes
    ]
    part = sum(sizes[key] for key in absent) / max(1, sum(sizes.values()))
    if part > MOST_MISSING:
        raise InputError(
            f"{part:.0%} of the body's weights of {type(model).__name__} are not in {name!r} "
            f"(such as {listing(absent, 3)}); choose another checkpoint"
        )
    if absent:
        say(f"{name} lacks {listing(absent, 4)}; they start from random weights")


def renew_head(model: Any, auto: Any, config: Any) -> None:
    """Start everything outside the body from fresh weights, whatever was loaded under those names."""
    import torch

    fresh = dict(auto.from_config(config, trust_remote_code=False).named_parameters())
    with torch.no_grad():
        for key, parameter in head_parameters(model):
            parameter.copy_(fresh[key])


def inherit_rows(model: Any, old: Any, old_labels: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Copy what a trained head knows: whole layers that fit, and the rows of labels with the same name."""
    import torch

    same = [label for label in labels if label in old_labels]
    before = dict(old.named_parameters())
    with torch.no_grad():
        for key, parameter in head_parameters(model):
            source = before[key]
            if parameter.shape[:1] == (len(labels),) and source.shape[:1] == (len(old_labels),):
                for label in same:
                    parameter[labels.index(label)] = source[old_labels.index(label)]
            elif parameter.shape == source.shape:
                parameter.copy_(source)
    return same


def head_parameters(model: Any) -> list[tuple[str, Any]]:
    """The parameters outside the model's body; none where the model is all body, as T5 for generation is."""
    prefix = f"{model.base_model_prefix}."
    named = list(model.named_parameters())
    outside = [(key, parameter) for key, parameter in named if not key.startswith(prefix)]
    return outside if len(outside) < len(named) else []


def save_finetuned(folder: Path, task: Task, name: str, model: Any, weights: Any = None) -> None:
    """Write a model folder that transformers loads, and tunekit.json for what transformers does not know.

    `weights` by name are given where they are not the model's own to read.
    """
    model.save_pretrained(folder, state_dict=weights)
    for path, content in task.companions(model).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    save_processor(folder, task, name)


def save_processor(folder: Path, task: Task, name: str, **more: Any) -> None:
    """Write the tokenizer or image processor of a task, and tunekit.json."""
    task.processor.save_pretrained(folder)
    kept = {key: getattr(task, key) for key in ("labels", "given", "learned", "decision", "origin")}
    facts = {"task": name, "options": task.options.model_dump(mode="json"), **kept, **more}
    (folder / "tunekit.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")

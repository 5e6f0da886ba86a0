"""Models that write: the logits of the tokens that are learned, and of no other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tunekit.tasks.base import IGNORE, Inputs, Model


def written_logits(model: Model, inputs: Inputs, *, shifted: bool) -> tuple[Any, Any]:
    """The logits at the places that have a target, shape (targets, vocabulary), and these targets.

    Prompts and padding have no targets, and a vocabulary is large: most of what a head computes for a whole
    batch would be thrown away. With `shifted` a token is told from the place before it.
    """
    from torch.nn.functional import pad

    given, labels = dict(inputs), inputs["labels"]
    if shifted:
        labels = pad(labels[:, 1:], (0, 1), value=IGNORE)
        del given["labels"]
    else:
        given["decoder_input_ids"] = decoder_inputs(model, given.pop("labels"))
    places = (labels.reshape(-1) != IGNORE).nonzero().squeeze(1)
    with only(model.get_output_embeddings(), places) as seen:
        logits = model(**given, use_cache=False).logits
    found = logits[0] if seen else logits.reshape(-1, logits.shape[-1]).index_select(0, places)
    return found, labels.reshape(-1).index_select(0, places)


def decoder_inputs(model: Model, labels: Any) -> Any:
    """What a decoder reads while it learns labels: each one place later, behind a token to begin with."""
    if hasattr(model, "prepare_decoder_input_ids_from_labels"):
        return model.prepare_decoder_input_ids_from_labels(labels=labels)
    read = labels.roll(1, -1).masked_fill(labels.roll(1, -1) == IGNORE, model.config.pad_token_id)
    read[:, 0] = model.config.decoder_start_token_id
    return read  # (rows, tokens)


def write(model: Model, inputs: Inputs, **settings: Any) -> Any:
    """What a model writes, shape (rows, tokens), by its own generation settings and those given.

    On CPUs keys and values get their place for all tokens at once: to make it longer with every token is to
    copy them all every time.
    """
    fixed = inputs["input_ids"].device.type == "cpu" and getattr(model, "_can_compile_fullgraph", False)
    cache = {"cache_implementation": "static", "disable_compile": True} if fixed else {}
    return model.generate(**inputs, **cache, **settings)


@contextmanager
def only(head: Any, places: Any) -> Iterator[list[bool]]:
    """Let a head see only some places of what it is given; the list tells whether it did."""
    seen: list[bool] = []

    def keep(_: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        seen.append(True)
        return (given[0].reshape(-1, given[0].shape[-1]).index_select(0, places)[None],)

    handle = head.register_forward_pre_hook(keep) if head is not None else None
    try:
        yield seen
    finally:
        if handle:
            handle.remove()

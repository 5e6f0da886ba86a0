"""How likely a model finds the right tokens: what it is trained on, and what an evaluation adds up."""

from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from tunekit import metrics
from tunekit.tasks._sequences import ASKED, GIVEN, Reader
from tunekit.tasks._writing import written_logits
from tunekit.tasks.base import IGNORE, Answer, Example, Inputs, Model, Outputs, Task, Window

MOST = 2**26  # logits that are made at once
OWN: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()  # whether a model's logits are its head's and no more


class Likelihood(Task):
    """The surprise of all that is learned of a row, and the tokens, words and bytes it is spread over."""

    heads = ("AutoModelForCausalLM",)
    inputs = {**GIVEN, **ASKED}

    @classmethod
    def judged_by(cls, options: Any) -> metrics.Measure:
        return metrics.LIKELIHOOD

    def encode(self, example: Example) -> Iterator[Window]:
        tokens = Reader(self.options, self.processor).learned(example)
        words = sum(len(text.split()) for text in tokens.said)
        size = sum(len(text.encode()) for text in tokens.said)
        for window in tokens.windows(self.options.max_length, max(1, self.options.overlap)):
            window.notes = {"words": words, "bytes": size}
            yield window

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        return {}

    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        labels = inputs["labels"]
        nats = surprises(model, inputs)
        told = labels[:, 1:] != IGNORE  # (windows, tokens - 1)
        each = nats.new_zeros(told.shape, dtype=nats.dtype).masked_scatter(told, nats)
        return {"surprise": each.double().sum(1), "tokens": told.sum(1)}  # (windows,)

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        sums = {
            name: float(sum(window.outputs[name] for window in windows)) for name in ("surprise", "tokens")
        }
        notes = windows[0].notes if windows else {"words": 0, "bytes": 0}
        return sums | {name: float(value) for name, value in notes.items()}

    def reference(self, example: Example) -> None:
        return None


def surprises(model: Model, inputs: Inputs) -> Any:
    """The surprise of each target in nats, shape (targets,), in the order of places.

    Where logits are nothing but the head's, many are made in parts, and again for the backward: those of all
    tokens of a batch take more memory than everything else.
    """
    from torch.nn.functional import cross_entropy, pad

    labels = pad(inputs["labels"][:, 1:], (0, 1), value=IGNORE)  # a token is told from the place before it
    places = (labels.reshape(-1) != IGNORE).nonzero().squeeze(1)
    head = model.get_output_embeddings()
    if head is not None and len(places) * getattr(head, "out_features", 0) > MOST:
        states = last_states(model, inputs, head, places)
        if states is not None:
            return in_parts(head, states, labels.reshape(-1).index_select(0, places))
    logits, tokens = written_logits(model, inputs, shifted=True)
    return cross_entropy(logits.float(), tokens, reduction="none")


def last_states(model: Model, inputs: Inputs, head: Any, places: Any) -> Any:
    """What the head is given at some places, shape (places, size); None where logits are not all its own.

    The model is let to make one logit row, which is held against the head's, once for each model.
    """
    import torch

    given = {name: value for name, value in inputs.items() if name != "labels"}
    seen: list[Any] = []

    def keep(_: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        seen.append(arguments[0].reshape(-1, arguments[0].shape[-1]).index_select(0, places))
        return (seen[-1][:1][None],)

    shared = getattr(model, "_is_fsdp_managed_module", False)  # then all make equally many forwards
    if shared or OWN.get(model, True) is False:
        return None
    handle = head.register_forward_pre_hook(keep)
    try:
        logits = model(**given, use_cache=False).logits
    finally:
        handle.remove()
    if model not in OWN:
        with torch.no_grad():
            OWN[model] = len(seen) == 1 and torch.equal(logits, head(seen[0][:1][None]))
    return seen[0] if OWN[model] else None


def in_parts(head: Any, states: Any, tokens: Any) -> Any:
    """The surprises of tokens whose logits a head makes of states, `MOST` logits at a time."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.utils.checkpoint import checkpoint

    def part(some: Any, wanted: Any) -> Any:
        return cross_entropy(head(some).float(), wanted, reduction="none")

    rows = max(1, MOST // head.out_features)
    parts = zip(states.split(rows), tokens.split(rows), strict=True)
    again = {"use_reentrant": False, "preserve_rng_state": False}
    return torch.cat([checkpoint(part, some, wanted, **again) for some, wanted in parts])

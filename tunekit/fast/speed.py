"""Which of the faster ways a model takes: those with which it answers a few rows as it did without them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from tunekit.fast import attention, dropout
from tunekit.fast.segments import widened
from tunekit.fast.unpadded import Unpadded, find_layers
from tunekit.tasks.base import IGNORE

CLOSE = 1e-4  # relative difference of hidden states in fp32 that is rounding


@dataclass
class Fast:
    """The faster ways that a model takes."""

    names: list[str] = field(default_factory=list)
    unpadded: Unpadded | None = None
    compile: bool | str = False  # whether layers are compiled; auto: when that is worth its time
    longest: int = 0  # tokens of the longest training window
    pad_token: int = 0

    def layout(self, inputs: Mapping[str, Any]) -> Any:
        """Where the tokens of a batch on the CPU are; None where it stays padded."""
        return self.unpadded.layout_of(inputs.get("attention_mask")) if self.unpadded else None

    def widened(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """A batch padded to one of few widths, so that shapes of steps repeat."""
        return widened(inputs, {"input_ids": self.pad_token, "labels": IGNORE}, self.longest)

    def active(self, layout: Any) -> AbstractContextManager[None]:
        """The context of a forward in training."""
        return self.unpadded.active(layout) if self.unpadded else nullcontext()


def plain() -> Fast:
    """None of them."""
    return Fast()


def speed_up(
    model: Any, loss: Callable[[], Any], mask: Any, *, own_attention: bool, kernels: bool = False
) -> Fast:
    """Let a model train faster, in every way that leaves its answers to a sample on the CPU as they are.

    `loss` computes the sample's loss with the model, and `mask` (rows, tokens) says what of it is no padding;
    None where rows have no length. With `own_attention` the model keeps the attention that it has. With
    `kernels` it will train on a GPU in half precision, by the GPU's own attention.
    """
    fast = Fast()
    stack = model.get_encoder() if model.config.is_encoder_decoder else model.base_model
    if mask is not None and mask.ndim != 2:  # several texts a row: they have no order by length
        mask = None
    trial = Trial(model, stack, loss, mask)
    before = model.config._attn_implementation
    if not own_attention and use_attention(trial):
        fast.unpadded = use_unpadded(trial, segments=kernels)
        if kernels and mask is not None and not fast.unpadded:  # torch's own is as good with padding
            model.set_attn_implementation(before)
        else:
            fast.names += ["attention", "unpadded"] if fast.unpadded else ["attention"]
    if not kernels:
        dropout.replace_dropout(model)
        fast.names.append("dropout")
    return fast


@dataclass
class Trial:
    """A model on a sample."""

    model: Any
    stack: Any  # of layers, whose hidden states are compared
    loss: Callable[[], Any]
    mask: Any

    def answers(self) -> tuple[Any, Any]:
        """The hidden states of real tokens, and the loss, without dropout."""
        import torch

        seen: list[Any] = []
        handle = self.stack.register_forward_hook(lambda _, __, output: seen.append(output[0]))
        training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad():
                loss = self.loss()
        finally:
            handle.remove()
            self.model.train(training)
        (hidden,) = seen
        return (hidden if self.mask is None else hidden[self.mask.bool()]), loss

    def same(self, wanted: tuple[Any, Any], context: AbstractContextManager[Any]) -> bool:
        """Whether the model answers within a context, and as it should up to rounding."""
        try:
            with context:
                found = self.answers()
        except Exception:  # a model may do anything with what it does not know; then it keeps its own way
            return False
        return all((a - b).norm() <= CLOSE * b.norm() for a, b in zip(found, wanted, strict=True))


def use_attention(trial: Trial) -> bool:
    """Switch to the faster attention where the model calls it and answers alike; tell whether."""
    model, wanted = trial.model, trial.answers()
    before = model.config._attn_implementation
    attention.register()
    calls: list[str] = []
    if can_switch(model) and trial.same(wanted, attention.counted(calls)) and calls:
        return True
    model.set_attn_implementation(before)
    return False


def can_switch(model: Any) -> bool:
    """Set the faster attention, if the model has a choice."""
    try:
        model.set_attn_implementation(attention.NAME)
    except (ValueError, AttributeError):
        return False
    return True


def use_unpadded(trial: Trial, *, segments: bool) -> Unpadded | None:
    """Take the padding away where the model then answers alike."""
    windows = {getattr(module, "sliding_window", None) for module in trial.stack.modules()}
    if trial.mask is None or windows != {None} or not find_layers(trial.stack):
        return None
    wanted, unpadded = trial.answers(), Unpadded(trial.stack, segments=segments)
    if trial.same(wanted, unpadded.active(unpadded.layout_of(trial.mask))):
        return unpadded
    unpadded.remove()
    return None

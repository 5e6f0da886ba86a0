"""How likely a model finds the right tokens: what it is trained on, and what an evaluation adds up."""

from collections.abc import Iterator, Sequence
from typing import Any

from tunekit import metrics
from tunekit.tasks._sequences import ASKED, GIVEN, Reader
from tunekit.tasks._writing import written_logits
from tunekit.tasks.base import IGNORE, Answer, Example, Inputs, Model, Outputs, Task, Window


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
    """The surprise of each target in nats, shape (targets,), in the order of places."""
    from torch.nn.functional import cross_entropy

    logits, tokens = written_logits(model, inputs, shifted=True)
    return cross_entropy(logits.float(), tokens, reduction="none")

"""Feature extraction: one vector for each text, from a checkpoint as it is; what `tunekit embed` writes."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from tunekit import metrics
from tunekit.tasks._embeddings import Embedding
from tunekit.tasks.base import Answer, Example, Role, Window

LONGEST = 1_000_000  # tokens, which no model reads: the limit is then the model's


class FeatureExtraction(Embedding):
    """Turn each text into a vector. Nothing is trained: `tunekit embed MODEL` uses it.

    text  "A gorgeous, witty, seductive movie."
    """

    inputs = {
        "text": Role(
            "text", "text", ("sentence", "review", "content", "body", "document", "passage", "query", "title")
        )
    }
    pipeline_tag = "feature-extraction"
    trainable = False
    untrained = "tunekit embed MODEL writes vectors, and task sentence-similarity trains models for them"

    class Options(Embedding.Options):
        """Settings of feature extraction."""

        adopts: ClassVar[tuple[str, ...]] = (
            "pooling",
            "normalize",
            "max_length",
            "prefix",
            "prefix_counts",
            "lowercase",
        )

        max_length: int = Field(LONGEST, ge=4, description="tokens that the model reads of a text")
        normalize: bool = Field(False, description="whether vectors have length 1")
        prefix: str = Field("", description="text before every text, such as E5's 'query: '")
        prefix_counts: bool = Field(
            True, description="whether the prefix's own tokens are pooled, as the checkpoint says"
        )
        lowercase: bool = Field(
            False, description="whether texts are read in small letters, as the checkpoint says"
        )

    options: Options

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return metrics.SIMILARITY

    def encode(self, example: Example) -> Iterator[Window]:
        text = self.options.prefix + example["text"]
        yield from self.windows([text.lower() if self.options.lowercase else text])

    @cached_property
    def skipped(self) -> int:
        """The tokens of a prefix that does not count, with what the tokenizer puts before it."""
        if self.options.prefix_counts or not self.options.prefix:
            return 0
        ids = self.processor(self.options.prefix)["input_ids"]
        return len(ids) - (ids[-1] in self.processor.all_special_ids)

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        return {}

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        """The vector itself, shape (hidden,)."""
        return windows[0].outputs["vector"]

    def reference(self, example: Example) -> Any:
        return None

"""Texts as vectors: what tasks share that pool the hidden states of a body."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from tunekit.tasks.base import Inputs, Model, Outputs, Task, Window, encodings

READ = ("input_ids", "attention_mask", "token_type_ids")  # of a window, by the model
LEGACY = {"cls": "cls_token", "mean": "mean_tokens", "last": "lasttoken"}  # in the words of 1_Pooling
KINDS = "sentence_transformers.models."  # of modules, under the names that every version knows

Pooling = Literal["auto", "cls", "mean", "last"]


class Embedding(Task):
    """A task whose models turn every text into one vector."""

    heads = ("AutoModelForTextEncoding", "AutoModel")
    unread = ("pooler.",)

    class Options(Task.Options):
        """Settings of models that turn texts into vectors."""

        adopts: ClassVar[tuple[str, ...]] = ("pooling", "normalize", "max_length")

        max_length: int = Field(
            256, ge=4, description="tokens that the model reads of a text; by default as its checkpoint says"
        )
        pooling: Pooling = Field(
            "auto",
            description="which hidden states make the vector: of the first token (cls), of all (mean), of "
            "the last; auto as the checkpoint says, else mean, and last for models that only read forward",
        )
        normalize: bool = Field(
            True, description="whether vectors have length 1; by default as the checkpoint says"
        )

    options: Options

    def windows(self, texts: Sequence[str]) -> Iterator[Window]:
        """A window for each text."""
        encoded = self.processor(list(texts), truncation=True, max_length=self.options.max_length)
        for inputs, encoding in encodings(self.processor, encoded):
            yield Window(inputs, cut=bool(encoding.overflowing))

    def represent(self, model: Model, inputs: Inputs) -> Any:
        """The vectors of texts, shape (windows, hidden), in fp32 at least."""
        import torch

        hidden = model(**{key: inputs[key] for key in READ if key in inputs}).last_hidden_state
        hidden = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
        read = slice(min(self.skipped, hidden.shape[1] - 1), None)
        return pooled(hidden[:, read], inputs["attention_mask"][:, read], self.options.pooling)

    @property
    def skipped(self) -> int:
        """Tokens at the beginning of a text that are read and not pooled."""
        return 0

    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        from torch.nn.functional import normalize

        vectors = self.represent(model, inputs)
        return {"vector": normalize(vectors, dim=-1) if self.options.normalize else vectors}

    def companions(self, model: Model) -> dict[str, Any]:
        """The files with which sentence-transformers makes the same vectors."""
        parts = [("", "Transformer"), ("1_Pooling", "Pooling")]
        parts += [("2_Normalize", "Normalize")] if self.options.normalize else []
        return {
            "modules.json": [
                {"idx": number, "name": str(number), "path": path, "type": f"{KINDS}{kind}"}
                for number, (path, kind) in enumerate(parts)
            ],
            "1_Pooling/config.json": {
                "word_embedding_dimension": model.config.hidden_size,
                **{f"pooling_mode_{mode}": how == self.options.pooling for how, mode in LEGACY.items()},
            },
            "sentence_bert_config.json": {
                "max_seq_length": self.options.max_length,
                "do_lower_case": False,
            },
            "config_sentence_transformers.json": {
                "prompts": self.prompts(),
                "default_prompt_name": None,
                "similarity_fn_name": "cosine",
            },
        }

    def prompts(self) -> dict[str, str]:
        """What comes before texts, by the kind of text."""
        return {}


def pooled(hidden: Any, mask: Any, pooling: str) -> Any:
    """One vector a text, shape (texts, hidden), from states of shape (texts, tokens, hidden).

    The mask, shape (texts, tokens), says which tokens are no padding; this is on the right.
    """
    import torch

    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]
    weights = mask[..., None].to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)

"""Sentence similarity: vectors of texts that are near where the texts mean the same, or belong together."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from tunekit import metrics
from tunekit.metrics.similarity import Found, score_retrieval, similarity_of
from tunekit.tasks import _plain
from tunekit.tasks._embeddings import Embedding
from tunekit.tasks._guess import NAMED, Guess, Seen, limit_of
from tunekit.tasks.base import Answer, Example, Inputs, Role, Window

ANCHOR, POSITIVE = 0, 1  # the part of a window; a negative is 2


class SentenceSimilarity(Embedding):
    """Teach a model to give near vectors to texts that belong together, for search, clusters and duplicates.

        anchor    "Who wrote the first program?"
        positive  "Ada Lovelace published an algorithm for the Analytical Engine in 1843."
        negative  "Bob wrote a novel in 1843."
        score     4.2

    The columns say how: with anchor and positive every other positive of a step counts as a wrong one, beside
    the negatives where there are any; with a score, how alike two texts are, the order of similarities is
    taught. Each text is read alone: what compares both in one input is `text-classification`.
    """

    inputs = {
        "anchor": Role(
            "text", "anchor", ("query", "question", "sentence1", "text1", "text_a", "premise", "sentence")
        ),
        "positive": Role(
            "text",
            "positive",
            ("answer", "passage", "context", "sentence2", "text2", "text_b", "hypothesis", "document"),
        ),
        "negative": Role("text", "negative", ("hard_negative",), needed=False, spare=True),
    }
    targets = {"score": Role("number", "score", ("similarity", "similarity_score"), needed=False)}
    pipeline_tag = "sentence-similarity"
    couples = True

    class Options(Embedding.Options):
        """Settings of sentence similarity."""

        scale: float = Field(20.0, gt=0, description="what cosines are multiplied with in the loss")
        anchor_prefix: str = Field("", description="text before every anchor, such as E5's 'query: '")
        positive_prefix: str = Field("", description="text before every other text, such as E5's 'passage: '")

    options: Options

    @classmethod
    def likelihood(cls, seen: Seen) -> Guess | None:
        """Columns that are called positive or negative beside a text: nothing else is called so."""
        roles = {**cls.inputs, **cls.targets}
        found = (
            {role: seen.find(role, spec) for role, spec in cls.inputs.items()} if seen.knows(roles) else {}
        )
        columns = {role: column for role, column in found.items() if column is not None}
        called = [
            role
            for role in columns
            if role in seen.given or columns[role].called([cls.inputs[role].column]) == 2
        ]
        if not {"anchor", "positive"} <= columns.keys() or "positive" not in called:
            return None
        limit, said = limit_of([max(columns.values(), key=lambda column: column.usual_words)], 512)
        return Guess(
            NAMED,
            {role: column.name for role, column in columns.items()},
            " and ".join(f"{column.name!r} holds {column.describe()}" for column in columns.values()),
            lengths={"max_length": limit},
            notes={"max_length": said},
        )

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return metrics.SIMILARITY

    @property
    def measure(self) -> metrics.Measure:
        """The same metrics, the first by the form of the rows that it learned from."""
        return similarity_of(self.learned.get("form", "pairs"))

    @classmethod
    def check(cls, options: Any, example: dict[str, Any]) -> Iterator[str]:
        if "score" in example and "negative" in example:
            yield "a row has a score or a negative text, and not both; name the columns by data.columns"

    def learn(self, rows: Sequence[Example]) -> dict[str, Any]:
        """The form of the rows, which the columns decide."""
        forms = (("scored", "score"), ("triplets", "negative"))
        return {"form": next((form for form, role in forms if role in rows[0]), "pairs")}

    def encode(self, example: Example) -> Iterator[Window]:
        texts = [self.options.anchor_prefix + example["anchor"]]
        others = [example[role] for role in ("positive", "negative") if role in example]
        texts += [self.options.positive_prefix + text for text in others]
        for part, (window, text) in enumerate(zip(self.windows(texts), texts, strict=True)):
            window.notes = {"part": part, "text": text}
            yield window

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        """Which text of its row a window is, and what tells equal texts."""
        digest = hashlib.blake2b(window.notes["text"].encode(), digest_size=8).digest()
        told = {"part": window.notes["part"], "text": int.from_bytes(digest, signed=True)}
        return told | ({"score": np.float32(example["score"])} if "score" in example else {})

    def count(self, inputs: Inputs) -> int:
        """Every window is in the loss of its step."""
        return 1

    def step_loss(self, represented: Any, inputs: Inputs) -> Any:
        """In-batch negatives by cosine, or CoSENT where there are scores.

        Source: Henderson et al. (2017), "Efficient Natural Language Response Suggestion for Smart Reply";
        for scores Su (2022), https://kexue.fm/archives/8847.
        """
        from torch.nn.functional import normalize

        vectors, part = normalize(represented, dim=-1), inputs["part"]
        anchors = vectors[part == ANCHOR]  # (rows, hidden)
        if "score" in inputs:
            cosines = (anchors * vectors[part == POSITIVE]).sum(-1)
            return ordered_loss(cosines * self.options.scale, inputs["score"][part == ANCHOR])
        scores = anchors @ vectors[part != ANCHOR].T * self.options.scale  # (rows, positives and negatives)
        return chosen_loss(scores, part, inputs["text"])

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        texts = [example[role] for role in ("anchor", "positive", "negative") if role in example]
        vectors = np.stack([window.outputs["vector"] for window in windows])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        found = Found(texts, vectors / np.maximum(lengths, 1e-12))
        similar = [round(each, 6) for each in found.similarities]
        return Similarity(found, zip(("similarity", "negative_similarity"), similar, strict=False))

    def comparable(self, answer: Answer) -> float:
        return float(answer["similarity"])

    def reference(self, example: Example) -> Any:
        """The score, or None where there is none: the two texts belong together."""
        return example.get("score")

    def statistics(self, answers: Sequence[Answer], references: Sequence[Any]) -> list[metrics.Statistics]:
        if not answers:
            return []
        if references[0] is None:
            return score_retrieval([answer.found for answer in answers])
        return self.measure.statistics([answer.found.similarities[0] for answer in answers], references)

    def prompts(self) -> dict[str, str]:
        return {"query": self.options.anchor_prefix, "document": self.options.positive_prefix}

    def plain_code(self, model: str) -> str:
        prefixes = (self.options.anchor_prefix, self.options.positive_prefix)
        texts = [prefix + text for prefix, text in zip(prefixes, EXAMPLES, strict=True)]
        return _plain.code(
            _plain.SIMILARITY,
            model,
            head=self.head,
            texts=_plain.literal(texts),
            max_length=self.options.max_length,
            pooling=_plain.POOLING[self.options.pooling],
        )


EXAMPLES = ("Ada went to Paris.", "Ada was in Paris.")


class Similarity(dict[str, float]):
    """An answer for one row, which also knows the vectors: other rows are held against them."""

    def __init__(self, found: Found, values: Any) -> None:
        super().__init__(values)
        self.found = found


def chosen_loss(scores: Any, part: Any, text: Any) -> Any:
    """The mean loss of choosing each anchor's own text among all, shape (); scores (rows, candidates).

    What is as right as its own text is no wrong one: the same text of another row, and whatever belongs to
    an anchor that is the same.
    """
    import torch

    row = (part == ANCHOR).cumsum(0) - 1  # (windows,)
    others = part != ANCHOR
    positives = part[others] == POSITIVE
    rows = torch.arange(len(scores), device=scores.device)[:, None]
    own = (row[others] == rows) & positives  # (rows, candidates)
    anchor, positive = text[part == ANCHOR], text[part == POSITIVE]
    same = text[others] == positive[:, None]
    belongs = positives & (anchor[row[others]] == anchor[:, None])
    left = scores.masked_fill((same | belongs) & ~own, float("-inf"))
    return torch.nn.functional.cross_entropy(left, own.int().argmax(1))


def ordered_loss(cosines: Any, scores: Any) -> Any:
    """How far the cosines of a step, shape (rows,), are from the order of its scores, shape ()."""
    import torch

    apart = cosines[:, None] - cosines[None, :]  # (rows, rows)
    wrong = apart.masked_fill(scores[:, None] >= scores[None, :], float("-inf"))  # the first should be less
    return torch.logsumexp(torch.cat([apart.new_zeros(1), wrong.flatten()]), 0)

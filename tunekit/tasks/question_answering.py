"""Question answering: the span of a context that answers a question, or that there is none."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tunekit import metrics
from tunekit.tasks import _plain
from tunekit.tasks._answers import answer_groups, columns_of, found_in, share_found
from tunekit.tasks._encodings import between
from tunekit.tasks._guess import CERTAIN, NAMED, Guess, Seen, limit_of
from tunekit.tasks._overlapping import OverlappingOptions
from tunekit.tasks._shown import Mark
from tunekit.tasks._spans import CANDIDATES, best_spans, places_of, rounded, spans_of
from tunekit.tasks.base import (
    Answer,
    Damage,
    Example,
    Inputs,
    Model,
    Outputs,
    Role,
    Task,
    Window,
    encodings,
)

MOST_ANSWERS = 0.5  # share of answers that must stand in their contexts for data to be meant for this
WRITTEN = "answers in words of their own are no task yet: choose another task with --task NAME"
OURS = ("context_mask", "null_position", "start_positions", "end_positions")  # inputs that no model gets


class QuestionAnswering(Task):
    """Point at the answer to a question in its context.

        question  "Where did Ada go?"
        context   "Ada went to Paris and Bob to Rome."
        answers   {"text": ["Paris"], "answer_start": [12]}

    A context that does not fit beside its question becomes overlapping windows, and the answer is the best
    span of all of them. A window without the answer is taught to point at its null position: the CLS token,
    else the first token. With `allow_no_answer` (SQuAD v2) pointing there is also an answer, "", given where
    the null position beats the best span by more than a threshold that is tuned on validation rows. Without
    it (SQuAD v1) the best span always wins. A question takes at most half of a window, and is else cut.
    """

    heads = ("AutoModelForQuestionAnswering",)
    inputs = {
        "question": Role("text", "question", ("query",)),
        "context": Role("text", "context", ("passage", "paragraph", "document", "text")),
    }
    targets = {"answers": Role("answers", "answers", ("answer", "answer_text"))}
    pipeline_tag = "question-answering"

    class Options(OverlappingOptions):
        """Settings of question answering."""

        part = 3

        max_length: int = Field(384, ge=16, description="longest window of question and context, in tokens")
        stride: int | None = Field(
            None,
            ge=0,
            description="tokens that neighbouring windows share; max_length / 3 by default",
        )
        max_answer_tokens: int = Field(30, ge=1, description="longest answer, in tokens")
        n_best: int = Field(3, ge=1, le=CANDIDATES, description="answers that a prediction lists")
        allow_no_answer: bool = Field(False, description="questions may have no answer, as in SQuAD v2")

    options: Options

    @classmethod
    def likelihood(cls, seen: Seen) -> Guess | None:
        """Questions, contexts, and answers that stand in them."""
        found = columns_of({**cls.inputs, **cls.targets}, seen)
        if found is None:
            return None
        share, empty = share_found(found["context"], found["answers"])
        if share <= MOST_ANSWERS and found["answers"].repeats and "answers" not in seen.given:
            return None  # such as yes and no, which are labels
        structured = "text" not in found["answers"].kinds
        why = f"{share:.0%} of the answers in {found['answers'].name!r} stand in {found['context'].name!r}"
        texts = [found["question"], found["context"]]
        limit, said = limit_of(texts, 384, 128, "longer ones become overlapping windows")
        return Guess(
            CERTAIN if structured and share > MOST_ANSWERS else NAMED,
            {role: column.name for role, column in found.items()},
            why,
            options={"allow_no_answer": True} if empty else {},
            lengths={"max_length": limit},
            notes={
                "allow_no_answer": f"{empty:,} of the first {seen.rows:,} questions have none",
                "max_length": said,
            },
            obstacle=None
            if share > MOST_ANSWERS
            else f"{why}, and an answer must be a part of it; {WRITTEN}",
        )

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return metrics.SQUAD

    @classmethod
    def check(cls, options: Options, example: dict[str, Any]) -> Iterator[str]:
        texts, starts = example["answers"]["text"], example["answers"]["answer_start"]
        if not texts and not options.allow_no_answer:
            yield "the question has no answer; set task.allow_no_answer=true, or data.bad_rows=skip"
        for number, (text, start) in enumerate(zip(texts, starts, strict=True)):
            starts[number], finding = found_in(example["context"], text, start)
            if finding:
                yield finding

    @cached_property
    def separator(self) -> str:
        """What stands behind a question where the tokenizer puts no token between two texts."""
        return between(self.processor)

    def shortened(self, question: str) -> str:
        """A question that takes at most half of a window."""
        most = self.options.max_length // 2
        (encoding,) = self.processor([question], add_special_tokens=False).encodings
        return question if len(encoding) <= most else question[: encoding.offsets[most - 1][1]]

    def encode(self, example: Example) -> Iterator[Window]:
        question, context = self.shortened(example["question"]), example["context"]
        asked = question + self.separator
        taken = len(self.processor([asked], add_special_tokens=False)["input_ids"][0])
        room = self.options.max_length - taken - self.processor.num_special_tokens_to_add(pair=True)
        encoded = self.processor(
            [asked],
            [context],
            truncation="only_second",
            max_length=self.options.max_length,
            stride=min(self.options.overlap, room // 2),
            return_overflowing_tokens=True,
        )
        pairs = encodings(self.processor, encoded)
        places = [places_of(encoding) for _, encoding in pairs]
        first, last = min(place[0] for place in places), max(place[1] for place in places)
        for (inputs, encoding), (low, high) in zip(pairs, places, strict=True):
            ids = inputs["input_ids"]
            null = self.processor.cls_token_id
            inputs["context_mask"] = np.array([part == 1 for part in encoding.sequence_ids], np.int8)
            inputs["null_position"] = ids.index(null) if null in ids else 0
            shown = (0 if low == first else low, len(context) if high == last else high)
            yield Window(
                inputs,
                notes={"offsets": np.array(encoding.offsets, np.int32), "shown": shown},
                cut=question != example["question"],
            )

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        null = window.inputs["null_position"]
        start, end = null, null
        if example["answers"]["text"]:
            begin = example["answers"]["answer_start"][0]
            stop = begin + len(example["answers"]["text"][0])
            tokens = self.covering(window, begin, stop)
            window.lost = not len(tokens)
            start, end = (int(tokens[0]), int(tokens[-1])) if len(tokens) else (null, null)
        return {"start_positions": start, "end_positions": end}

    def damage(self, example: Example, windows: Sequence[Window]) -> Iterator[Damage]:
        """Questions that are cut, answers that no window shows whole, or that are longer than any given."""
        yield Damage("max_length", "questions", int(windows[0].cut), 1)
        if not example["answers"]["text"]:
            return
        whole = [window.inputs for window in windows if not window.lost]
        yield Damage("max_length", "answers", int(not whole), 1)
        if whole:
            tokens = int(whole[0]["end_positions"]) - int(whole[0]["start_positions"]) + 1
            yield Damage("max_answer_tokens", "answers", int(tokens > self.options.max_answer_tokens), 1)

    def covering(self, window: Window, begin: int, stop: int) -> NDArray[np.int64]:
        """The tokens of a span of characters; none where the window does not show all of it."""
        low, high = window.notes["shown"]
        starts, ends = window.notes["offsets"].T
        inside = (window.inputs["context_mask"] == 1) & (ends > begin) & (starts < stop)
        return np.flatnonzero(inside & (low <= begin) & (stop <= high))

    def logits(self, model: Model, inputs: Inputs) -> tuple[Any, Any]:
        """Start and end logits, shape (windows, tokens) each; -inf where no answer can start or end."""
        import torch

        outputs = model(**{key: value for key, value in inputs.items() if key not in OURS})
        positions = torch.arange(outputs.start_logits.shape[1], device=outputs.start_logits.device)
        able = inputs["context_mask"].bool() | (positions == inputs["null_position"][:, None])
        return tuple(
            each.float().masked_fill(~able, -torch.inf) for each in (outputs.start_logits, outputs.end_logits)
        )

    def loss(self, model: Model, inputs: Inputs) -> Any:
        """The mean cross-entropy of starts and ends, over the places where an answer can be."""
        from torch.nn.functional import cross_entropy

        start, end = self.logits(model, inputs)
        return (
            cross_entropy(start, inputs["start_positions"]) + cross_entropy(end, inputs["end_positions"])
        ) / 2

    def count(self, inputs: Inputs) -> int:
        return 1

    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        start, end = self.logits(model, inputs)
        null = (start + end).gather(1, inputs["null_position"][:, None]).squeeze(1)
        best = best_spans(start, end, inputs["context_mask"].bool(), self.options.max_answer_tokens)
        return {**best, "null": null}

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        """The best spans of all windows; a span's probability is among all spans of all windows."""
        context, found = example["context"], dict[tuple[int, int], float]()
        for window in windows:
            for span, score in spans_of(window, context):
                found[span] = max(score, found.get(span, score))
        ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        null = min(float(window.outputs["null"]) for window in windows)
        totals = [float(window.outputs["total"]) for window in windows]
        total = np.logaddexp.reduce([*totals, null] if self.options.allow_no_answer else totals)
        n_best = [
            {"answer": context[a:b], "start": a, "end": b, "score": rounded(np.exp(score - total))}
            for (a, b), score in ranked[: self.options.n_best]
        ]
        answer = {**(n_best[0] if n_best else NOTHING), "n_best": n_best}
        if self.options.allow_no_answer:
            answer["no_answer_probability"] = rounded(np.exp(null - total))
            answer["no_answer_score"] = rounded(null - ranked[0][1]) if ranked else 0.0  # above the best span
        return answer

    def tune(self, answers: Sequence[Answer], references: Sequence[Any]) -> dict[str, Any]:
        """The threshold of `no_answer_score` above which no answer gives the best F1."""
        if not self.options.allow_no_answer:
            return {}
        gains = [
            metrics.score_span(answer["answer"], right)["f1"] - metrics.score_span("", right)["f1"]
            for answer, right in zip(answers, references, strict=True)
        ]
        return {"no_answer_threshold": metrics.best_threshold([a["no_answer_score"] for a in answers], gains)}

    def decide(self, answer: Answer) -> Answer:
        threshold = self.decision.get("no_answer_threshold", 0.0)
        if not self.options.allow_no_answer or answer["no_answer_score"] <= threshold:
            return answer
        return {**answer, **NOTHING, "score": answer["no_answer_probability"]}

    def baselines(self, rows: Sequence[Example]) -> dict[str, list[Any]]:
        return {"empty": [""] * len(rows)} if self.options.allow_no_answer else {}

    def unit(self, example: Example) -> str:
        """The context: answers to questions on the same one are not independent."""
        return hashlib.sha256(example["context"].encode()).hexdigest()[:16]

    def comparable(self, answer: Answer) -> str:
        return str(answer["answer"])

    def reference(self, example: Example) -> list[str]:
        return list(example["answers"]["text"])

    def claims(self, answer: Answer, said: Any, reference: Any) -> Iterable[tuple[float, bool]]:
        """That the answer is one of the right ones, word for word."""
        yield answer["score"], bool(metrics.score_span(said, reference)["exact"])

    def marks(self, example: Example, answer: Answer = None) -> Iterable[Mark]:
        if answer is not None:
            yield from [] if answer["start"] is None else [Mark("context", answer["start"], answer["end"])]
            return
        right = example["answers"]
        for text, start in zip(right["text"], right["answer_start"], strict=True):
            yield Mark("context", start, start + len(text))

    def groups(self, example: Example, reference: Any) -> Mapping[str, str]:
        """By whether there is an answer, and by how long the first right one is."""
        return answer_groups(reference)

    def model_options(self) -> dict[str, Any]:
        return {"num_labels": 2}  # a start and an end

    def plain_code(self, model: str) -> str:
        script = _plain.SPAN + (_plain.UNSURE if self.options.allow_no_answer else _plain.SURE)
        parts = self.options.model_dump(include={"max_length", "max_answer_tokens"})
        question = _plain.literal(f"Where did Ada go?{self.separator}")
        threshold = self.decision.get("no_answer_threshold", 0.0)
        return _plain.code(script, model, question=question, threshold=threshold, **parts)


NOTHING: Mapping[str, Any] = {"answer": "", "start": None, "end": None, "score": 0.0}

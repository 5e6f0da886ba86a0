"""Token classification: one label for every word, such as named entities or parts of speech."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from tunekit import metrics
from tunekit.tasks import _plain
from tunekit.tasks._guess import CERTAIN, Guess, Seen, limit_of
from tunekit.tasks._overlapping import OverlappingOptions
from tunekit.tasks._shown import Mark, Tagged
from tunekit.tasks._tags import (
    SCHEMES,
    as_bioes,
    invalid_tags,
    one_word_a_row,
    scheme_of,
    tagged_words,
    text_and_spans,
)
from tunekit.tasks._words import OUTSIDE, Words, tags_of
from tunekit.tasks.base import (
    IGNORE,
    Answer,
    Corrected,
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


class TokenClassification(Task):
    """Label each word of a text, which is split into words already or will be.

        words  ["Ada",   "Lovelace", "lived", "in", "London"]
        tags   ["B-PER", "I-PER",    "O",     "O",  "B-LOC"]

    or, in characters, `text` "Ada Lovelace lived in London" with `spans` [{"start": 0, "end": 12, "label":
    "PER"}, ...], which become tags of words.

    A word's label sits on its first sub-word; the rest carry none. Texts longer than `max_length` tokens
    become overlapping windows, so that every word is predicted and every word is scored. A word that the
    tokenizer drops altogether (control characters) is answered with "O".
    """

    heads = ("AutoModelForTokenClassification",)
    processor_options = {"add_prefix_space": True}  # byte-level BPE needs it before words; others ignore it
    inputs = {"words": Role("words", "tokens", ("words", "token", "word", "text", "sentence"))}
    targets = {
        "tags": Role("labels", "ner_tags", ("tags", "labels", "ner", "pos_tags", "entities")),
        "spans": Role("spans", "spans", ("entities", "label", "labels"), instead_of="tags"),
    }
    labels_from = "tags"
    pipeline_tag = "token-classification"

    class Options(OverlappingOptions):
        """Settings of token classification."""

        part = 8

        max_length: int = Field(256, ge=8, description="longest window, in tokens")
        stride: int | None = Field(
            None, ge=0, description="tokens that neighbouring windows share; max_length / 8 by default"
        )
        scheme: Literal["bio", "iob1", "bioes", "bilou", "plain"] = Field(
            "bio",
            description="how tags mark entities (bilou is read as bioes); "
            "plain for labels that are none (parts of speech)",
        )

    options: Options

    @classmethod
    def likelihood(cls, seen: Seen) -> Guess | None:
        """Lists of words beside lists of as many tags, or texts beside spans in characters."""
        roles = {**cls.inputs, **cls.targets}
        if not seen.knows(roles):
            return None
        pair = tagged_words(seen, roles) or text_and_spans(seen, roles)
        if pair is None:
            return one_word_a_row(seen)
        (role, target), words = pair
        scheme = "bio" if role == "spans" else scheme_of(target)
        limit, said = limit_of([words], 512, 256, "longer ones become overlapping windows")
        notes = {
            "scheme": f"how tags mark entities: {SCHEMES[scheme]}",
            "max_length": said,
        }
        return Guess(
            CERTAIN,
            {"words": words.name, role: target.name},
            f"{words.name!r} holds {words.describe()}, and {target.name!r} {target.describe()}",
            options={"scheme": scheme},
            lengths={"max_length": limit},
            notes=notes,
        )

    @classmethod
    def judged_by(cls, options: Options) -> metrics.Measure:
        return metrics.WORDS if options.scheme == "plain" else metrics.ENTITIES

    @classmethod
    def check(cls, options: Options, example: dict[str, Any]) -> Iterator[str]:
        """Turn spans into tags, and BILOU into BIOES."""
        words, spans = Words.of(example["words"]), example.pop("spans", None)
        if "tags" not in example:
            if options.scheme != "bio":
                yield f"spans are read as tags of the scheme bio, not {options.scheme}; set task.scheme=bio"
            example["tags"], moved, wrong = tags_of(words, spans)
            yield from wrong
            yield from map(Corrected, moved)
            return
        tags = example["tags"]
        if len(words) != len(tags):
            yield f"{len(words)} words but {len(tags)} tags"
        if options.scheme != "plain":
            yield from invalid_tags(tags, options.scheme)
        if options.scheme == "bilou":
            example["tags"] = [as_bioes(tag) for tag in tags]

    @classmethod
    def all_labels(cls, options: Options, labels: Sequence[str], roles: Container[str]) -> list[str]:
        """For spans O, B-x and I-x of every type x, so that any entity can go on; BIOES names for BILOU."""
        if "tags" not in roles:
            kinds = {label[2:] for label in labels if label != OUTSIDE}
            return sorted([OUTSIDE, *(f"{prefix}-{kind}" for kind in kinds for prefix in "BI")])
        return list(dict.fromkeys(map(as_bioes, labels))) if options.scheme == "bilou" else list(labels)

    def encode(self, example: Example) -> Iterator[Window]:
        encoded = self.processor(
            [list(example["words"])],
            is_split_into_words=True,
            truncation=True,
            max_length=self.options.max_length,
            stride=self.options.overlap,
            return_overflowing_tokens=True,
        )
        pairs = encodings(self.processor, encoded)
        begins = word_begins(encoding for _, encoding in pairs)
        for inputs, encoding in pairs:
            yield Window(inputs, notes={"word": first_subwords(encoding, begins)})

    def target(self, example: Example, window: Window) -> dict[str, Any]:
        tags = example["tags"]
        return {
            "labels": [IGNORE if word is None else self.index[tags[word]] for word in window.notes["word"]]
        }

    def damage(self, example: Example, windows: Sequence[Window]) -> Iterator[Damage]:
        """Words in no window, for the tokenizer drops them, and entities that no window shows whole."""
        shown = [{word for word in window.notes["word"] if word is not None} for window in windows]
        everywhere = set().union(*shown)
        yield Damage(None, "words", len(example["words"]) - len(everywhere), len(example["words"]))
        if self.options.scheme != "plain":
            spans = [
                everywhere.intersection(range(first, last + 1))
                for _, first, last in metrics.entities(example["tags"])
            ]
            parted = sum(not any(span <= words for words in shown) for span in spans)
            yield Damage("max_length", "entities", parted, len(spans))

    def predict(self, model: Model, inputs: Inputs) -> Outputs:
        score, tag = model(**inputs).logits.float().softmax(-1).max(-1)
        return {"tag": tag, "score": score}  # (windows, tokens) each

    def decode(self, example: Example, windows: Sequence[Window]) -> Answer:
        """One tag per word, each from the window that shows the most text around it."""
        best: dict[int, tuple[int, int, float]] = {}  # word -> (tokens of context, tag, score)
        for window in windows:
            words, tags, scores = window.notes["word"], window.outputs["tag"], window.outputs["score"]
            for position, word in enumerate(words):
                context = min(position, len(words) - 1 - position)
                if word is not None and context > best.get(word, (-1,))[0]:
                    best[word] = context, int(tags[position]), float(scores[position])
        words = Words.of(example["words"])
        found = [best.get(word, (0, self.index.get(OUTSIDE, 0), 0.0)) for word in range(len(words))]
        tags = [self.labels[tag] for _, tag, _ in found]
        scores = [score for *_, score in found]
        entities = self.entities(words, tags, scores)
        return {
            "words": list(words),
            "tags": tags,
            "scores": [round(s, 6) for s in scores],
            "entities": entities,
        }

    def entities(self, words: Words, tags: Sequence[str], scores: Sequence[float]) -> list[dict[str, Any]]:
        """The entities that the tags mark: where in the text, in characters, and which words; ends exclusive.

        The text of words that were given as a list has single blanks between them.
        """
        if self.options.scheme == "plain":
            return []
        found = []
        for kind, first, last in metrics.entities(tags):
            start, end = words.offsets[first][0], words.offsets[last][1]
            found.append(
                {
                    "type": kind,
                    "start": start,
                    "end": end,
                    "words": [first, last + 1],
                    "text": words.text[start:end],
                    "score": round(float(np.mean(scores[first : last + 1])), 6),
                }
            )
        return found

    def comparable(self, answer: Answer) -> list[str]:
        return list(answer["tags"])

    def reference(self, example: Example) -> list[str]:
        return list(example["tags"])

    def label_pairs(self, said: Any, reference: Any) -> Iterable[tuple[str, str]]:
        """Word by word; of entities their types, wherever in one a word stands."""
        plain = self.options.scheme == "plain"
        for pair in zip(reference, said, strict=True):
            right, found = pair if plain else map(type_of, pair)
            yield right, found

    def claims(self, answer: Answer, said: Any, reference: Any) -> Iterable[tuple[float, bool]]:
        """Entity by entity; word by word where there are none."""
        if self.options.scheme == "plain":
            yield from zip(answer["scores"], map(str.__eq__, said, reference), strict=True)
            return
        right = set(metrics.entities(reference))
        for entity in answer["entities"]:
            first, after = entity["words"]
            yield entity["score"], (entity["type"], first, after - 1) in right

    def marks(self, example: Example, answer: Answer = None) -> Iterable[Mark]:
        words, tags = Words.of(example["words"]), (answer or example)["tags"]
        for entity in self.entities(words, tags, [1.0] * len(tags)):
            yield Mark("words", entity["start"], entity["end"], entity["type"])

    def tagged(self, answer: Answer) -> Tagged:
        return Tagged(answer["words"], answer["tags"], answer["scores"])

    def plain_code(self, model: str) -> str:
        """By the pipeline where it knows the scheme."""
        known = self.options.scheme in ("bio", "iob1")
        script = _plain.ENTITIES if known else _plain.TAGS
        return _plain.code(script, model, max_length=self.options.max_length)


def type_of(tag: str) -> str:
    """The type of entity that a tag such as B-PER marks."""
    return tag.partition("-")[2] or tag


def word_begins(encodings_of_row: Iterable[Any]) -> dict[int, int]:
    """The character at which each word's first token begins: not 0 where a tokenizer drops characters."""
    begins: dict[int, int] = {}
    for encoding in encodings_of_row:
        for word, (start, _) in zip(encoding.word_ids, encoding.offsets, strict=True):
            if word is not None:
                begins[word] = min(start, begins.get(word, start))
    return begins


def first_subwords(encoding: Any, begins: Mapping[int, int]) -> list[int | None]:
    """For each token, the index of the word it begins; None for later sub-words and special tokens.

    A window may open in the middle of a word. Its first token then begins nothing, which only the
    character offset can tell.
    """
    words = encoding.word_ids
    return [
        word if word is not None and word != previous and start == begins[word] else None
        for previous, word, (start, _) in zip([None, *words], words, encoding.offsets, strict=False)
    ]

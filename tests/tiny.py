"""Tiny data that tiny models can learn, recipes for them, and which family is tried with which task."""

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.tiny_models import FAMILIES as OF_TEXTS
from tests.tiny_models import IMAGE_FAMILIES, WORDS

FAMILIES = (*OF_TEXTS, *IMAGE_FAMILIES)


def cells() -> list[tuple[str, str]]:
    """Every task to train with every family that can do it, as `tunekit tasks --families` shows them."""
    from tunekit import tasks

    return [(task, family) for family in FAMILIES for task in tasks.names() if family in able(task)]


def able(task: str) -> list[str]:
    """The families that can do a task."""
    from tunekit.models.families import table

    return [family for family, heads in table().items() if heads[task]]


def reviews(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Reviews whose label follows from one word, in sentences of different lengths."""
    good, bad = ["good", "great", "fine"], ["bad", "poor", "dull"]
    rows = []
    for i in range(start, start + count):
        word = (good if i % 2 else bad)[i // 2 % 3]
        filler = " ".join(WORDS[:3][j % 3] for j in range(1 + i * 7 % 11))
        rows.append(
            {"id": f"r{i}", "text": f"{filler} was {word}", "label": "positive" if i % 2 else "negative"}
        )
    return rows


def sentences(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Sentences with persons and places, of different lengths."""
    people, places = ["Ada", "Bob"], ["Paris", "Rome"]
    rows = []
    for i in range(start, start + count):
        filler = ["the", "film", "was", "fine", "and"][: i % 6]
        tokens = [
            *filler,
            people[i % 2],
            "went",
            "to",
            places[i // 2 % 2],
            *(["in", "Rome"] if i % 5 == 0 else []),
        ]
        tags = ["O"] * len(filler) + ["B-PER", "O", "O", "B-LOC"] + (["O", "B-LOC"] if i % 5 == 0 else [])
        rows.append({"tokens": tokens, "ner_tags": tags})
    return rows


def documents(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Reviews of different lengths with what they say in two words."""
    rows = []
    for i in range(start, start + count):
        word = "great" if i % 2 else "dull"
        filler = " ".join(WORDS[:3][j % 3] for j in range(1 + i * 7 % 11))
        rows.append({"document": f"{filler} was {word} and {word}", "summary": f"{word} film"})
    return rows


def translations(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Sentences of different lengths, and what they say in the words of another language."""
    words = {"great": "Ada Paris", "dull": "Bob Rome"}
    return [
        {"source": row["document"], "target": words[row["summary"].split()[0]]}
        for row in documents(count, start=start)
    ]


def exchanges(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """What is asked in texts of different lengths, with the one or two answers that are right."""
    return [
        {"input": row["document"], "output": [row["summary"], "Rome"] if i % 3 else row["summary"]}
        for i, row in enumerate(documents(count, start=start))
    ]


def questions(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Questions about where somebody went, in contexts of different lengths, all different."""
    people, places = ["Ada", "Bob"], ["Paris", "Rome"]
    words = ["the", "film", "was", "not", "fine", "and", "the", "cast", "was", "dull"]
    rows = []
    for i in range(start, start + count):
        person, place = people[i % 2], places[i // 2 % 2]
        context = " ".join([*words[: i % 7], person, "went", "to", place, *words[: i % 11]])
        rows.append(
            {
                "id": f"q{i}",
                "question": f"{person} went to",
                "context": context,
                "answers": {"text": [place], "answer_start": [context.index(place)]},
            }
        )
    return rows


def pairs(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Two texts of different lengths that share two words, which no two of a split do otherwise."""
    people, things = ["Ada", "Bob"], ["film", "plot", "cast"]
    words = ["good", "great", "fine", "bad", "poor", "dull"]
    rows = []
    for i in range(start, start + count):
        person, thing = people[i % 2], things[i // 2 % 3]
        word, filler = words[i // 6 % 6], " ".join(WORDS[5:6] * (i % 4))
        rows.append(
            {
                "anchor": f"the {thing} was {word} and {person} was very {word}",
                "positive": f"{person} was not in {filler} {word} {thing} very {word}",
            }
        )
    return rows


def pictures(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Noisy pictures of different sizes, whose label is their strongest colour."""
    import numpy as np

    rows = []
    for i in range(start, start + count):
        random = np.random.default_rng(i)
        pixels = random.integers(0, 120, (14 + i % 5, 22 - i % 3, 3))
        pixels[..., 0 if i % 2 else 2] += 120
        rows.append({"id": f"p{i}", "image": png(pixels), "label": "red" if i % 2 else "blue"})
    return rows


def png(pixels: Any) -> bytes:
    """A PNG file of an array, shape (height, width, 3) or, grey, (height, width)."""
    import numpy as np
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return file.getvalue()


def prompts(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Reviews without their end, of different lengths, and the end."""
    return [
        {"prompt": f"{row['document']} is", "completion": f" {row['summary']}"}
        for row in documents(count, start=start)
    ]


DATA = {
    "image-classification": pictures,
    "question-answering": questions,
    "sentence-similarity": pairs,
    "text-classification": reviews,
    "token-classification": sentences,
    "summarization": documents,
    "text2text": exchanges,
    "translation": translations,
    "text-generation": prompts,
}


EPOCHS = {"sentence-similarity": 10}  # that are enough to learn it, where that is less than usual


def write_jsonl(path: Path, rows: Iterable[Any]) -> Path:
    """Write rows as JSON lines; bytes become a file beside, and its name."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def named(content: bytes) -> str:
        name = f"{hashlib.sha256(content).hexdigest()[:16]}.png"
        (path.parent / name).write_bytes(content)
        return name

    path.write_text("".join(json.dumps(row, default=named) + "\n" for row in rows))
    return path


def dataset(folder: Path, task: str, *, train: int = 48, others: int = 12) -> Path:
    """A folder of train, validation and test files."""
    make = DATA[task]
    write_jsonl(folder / "train.jsonl", make(train))
    write_jsonl(folder / "validation.jsonl", make(others, start=train))
    write_jsonl(folder / "test.jsonl", make(others, start=train + others))
    return folder


def recipe(path: Path, task: str, model: Path, data: Path, **train: Any) -> Path:
    """A recipe file for tiny things: fp32, a high learning rate, few steps."""
    settings = {
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 3e-3,
        "precision": "fp32",
        "log_every": 2,
    } | train
    if "steps" in train:
        del settings["epochs"]
    lines = [f"task: {task}", f"model: {model}", f"data: {data}", "train:"]
    lines += [f"  {key}: {'null' if value is None else value}" for key, value in settings.items()]
    path.write_text("\n".join(lines) + "\n")
    return path

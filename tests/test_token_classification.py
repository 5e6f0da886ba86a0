"""Token classification on raw text: words with their places, entities in characters, models of spans."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.building import make_task
from tunekit import workflow
from tunekit.run import Run
from tunekit.tasks._words import Words

NAME = "token-classification"
TEXTS = [
    "Ada went to Paris.",
    "Ada  went\tto\u00a0Paris \n",
    "Zoë's naïve café: 3,50 €",
    "cafe\u0301 in Co\u0302te d'Ivoire",  # accents as characters of their own
    "😀👍🏽 Ada 👩\u200d👩\u200d👧 went ❤\ufe0f",
    "東京タワー and München",
    "हिन्दी में लिखा",
    "\ufeffAda \u200bwent",
    "</s> went [SEP]",
    "a" * 40,
]


@pytest.mark.parametrize("text", TEXTS)
def test_words_are_the_text_without_its_blanks(text: str) -> None:
    words = Words.split(text)
    assert [text[start:end] for start, end in words.offsets] == words
    assert "".join(words) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ada's film, 3.5!", ["Ada", "'", "s", "film", ",", "3", ".", "5", "!"]),
        ("snake_case e-mail", ["snake_case", "e", "-", "mail"]),
        ("cafe\u0301 हिन्दी", ["cafe\u0301", "हिन्दी"]),
        ("👍🏽👩\u200d👧❤\ufe0f", ["👍🏽", "👩\u200d👧", "❤\ufe0f"]),
        ("東京 tower", ["東", "京", "tower"]),
        ("  ", []),
    ],
)
def test_texts_are_split_into_words_and_signs(text: str, words: list[str]) -> None:
    assert Words.split(text) == words


def test_words_of_a_list_lie_in_the_text_that_single_blanks_make() -> None:
    words = Words.of(["so", "New York", "!"])
    assert words.text == "so New York !"
    assert [words.text[start:end] for start, end in words.offsets] == ["so", "New York", "!"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("family", tiny.able("token-classification"))
def test_entities_of_raw_text_are_where_they_say(
    family: str, text: str, checkpoint: Callable[..., Path]
) -> None:
    task = make_task(NAME, checkpoint(family), ["B-X", "I-X", "O"])
    row = {"words": Words.split(text)}
    windows = list(task.encode(row))
    for window in windows:
        size = len(window.notes["word"])
        first = [int(word is not None and word % 2) for word in window.notes["word"]]  # two words an entity
        window.outputs = {"tag": np.array(first), "score": np.ones(size)}
    answer = task.decode(row, windows)
    assert answer["entities"]
    for entity in answer["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["text"]
        first, end = entity["words"]
        assert "".join(answer["words"][first:end]) == "".join(entity["text"].split())


@pytest.mark.parametrize("text", TEXTS[:6])
@pytest.mark.parametrize("family", tiny.able("token-classification"))
def test_every_word_of_raw_text_begins_a_token(
    family: str, text: str, checkpoint: Callable[..., Path]
) -> None:
    task = make_task(NAME, checkpoint(family), ["B-X", "O"])
    words = Words.split(text)
    begun = [word for window in task.encode({"words": words}) for word in window.notes["word"]]
    assert {word for word in begun if word is not None} == set(range(len(words)))


def spans(count: int, start: int = 0) -> list[dict[str, Any]]:
    """The tiny sentences as raw text with spans."""
    rows = []
    for row in tiny.sentences(count, start=start):
        words = Words.of(row["tokens"])
        places = zip(words.offsets, row["ner_tags"], strict=True)
        found = [{"start": s, "end": e, "label": tag[2:]} for (s, e), tag in places if tag != "O"]
        rows.append({"text": words.text, "spans": found})
    return rows


@pytest.fixture(scope="module", params=["bert", "gpt2"])
def finished(
    request: pytest.FixtureRequest, checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A run on spans."""
    folder = tmp_path_factory.mktemp(f"spans-{request.param}")
    for split, count, start in (("train", 48, 0), ("validation", 12, 48), ("test", 12, 60)):
        tiny.write_jsonl(folder / "data" / f"{split}.jsonl", spans(count, start))
    model = checkpoint(request.param, dropout=False)
    settings: dict[str, Any] = dict(steps=120, early_stopping=None, evaluate_every=60, save_every=1000)
    file = tiny.recipe(folder / "tiny.yaml", NAME, model, folder / "data", **settings)
    return workflow.finetune(file, output=folder / "run")


def test_it_learns_spans(finished: Run) -> None:
    assert finished.metrics()["test"]["f1"]["value"] >= 0.9


def test_predicted_entities_are_the_spans_that_were_annotated(finished: Run) -> None:
    answers = list(workflow.predict(finished.path, str(finished.path.parent / "data" / "test.jsonl")))
    for row, answer in zip(spans(12, 60), answers, strict=True):
        found = [
            {"start": entity["start"], "end": entity["end"], "label": entity["type"]}
            for entity in answer["prediction"]["entities"]
        ]
        assert found == row["spans"]


def test_lines_of_text_are_answered(finished: Run, tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("the film  was fine and Ada went to Paris\n")
    (answer,) = workflow.predict(finished.path, str(tmp_path / "d.txt"))
    found = {(entity["text"], entity["start"], entity["end"]) for entity in answer["prediction"]["entities"]}
    assert found == {("Ada", 23, 26), ("Paris", 35, 40)}


@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")  # of byte-level tokenizers
def test_transformers_pipeline_finds_the_same_entities_in_the_same_places(
    finished: Run, tmp_path: Path
) -> None:
    from transformers import pipeline

    text = "the film was fine and Ada went to Paris in Rome"
    (tmp_path / "d.txt").write_text(text)
    (answer,) = workflow.predict(finished.path, str(tmp_path / "d.txt"))
    find = pipeline("token-classification", model=str(finished.model), aggregation_strategy="first")
    theirs = [
        (entity["entity_group"], text[entity["start"] : entity["end"]].strip()) for entity in find(text)
    ]
    ours = answer["prediction"]["entities"]
    assert [(entity["type"], entity["text"]) for entity in ours] == theirs
    assert len(ours) == 3


def test_entities_of_bioes_tags_are_whole(checkpoint: Callable[..., Path]) -> None:
    task = make_task(NAME, checkpoint("bert"), ["B-PER", "E-PER", "O", "S-LOC"], scheme="bioes")
    words = Words.split("Ada  King, Rome")
    found = task.entities(words, ["B-PER", "E-PER", "O", "S-LOC"], [1.0] * 4)  # type: ignore[attr-defined]
    assert [(entity["type"], entity["text"]) for entity in found] == [("PER", "Ada  King"), ("LOC", "Rome")]


def test_words_with_plain_labels_have_no_entities(checkpoint: Callable[..., Path]) -> None:
    task = make_task(NAME, checkpoint("bert"), ["NOUN", "VERB"], scheme="plain")
    assert task.entities(Words.split("Ada went"), ["NOUN", "VERB"], [1.0, 1.0]) == []  # type: ignore[attr-defined]


def test_lists_of_words_are_answered_by_a_model_of_spans(finished: Run, tmp_path: Path) -> None:
    path = tiny.write_jsonl(tmp_path / "d.jsonl", [{"tokens": ["Ada", "went", "to", "Paris"]}])
    (answer,) = workflow.predict(finished.path, str(path))
    assert answer["prediction"]["words"] == ["Ada", "went", "to", "Paris"]
    assert [entity["words"] for entity in answer["prediction"]["entities"]] == [[0, 1], [3, 4]]


def test_the_labels_of_the_model_are_those_of_entities_that_go_on(finished: Run) -> None:
    facts = json.loads((finished.model / "config.json").read_text())
    assert list(facts["id2label"].values()) == ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]

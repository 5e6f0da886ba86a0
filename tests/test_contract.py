"""Every task through one set of promises, and every family with every task."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests import tiny
from tests.building import make_task, taught_windows
from tunekit import tasks, workflow
from tunekit.data.load import load
from tunekit.data.windows import encode
from tunekit.evaluation import evaluate, predict
from tunekit.models.finetuned import load_task, load_weights
from tunekit.proof import same
from tunekit.recipe import load as load_recipe
from tunekit.run import Run
from tunekit.stats import totals
from tunekit.tasks._words import Words

CELLS = tiny.cells()


def every_task(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test for each task that there is, also for those that are nothing to train."""
    return pytest.mark.parametrize("name", tasks.every())(test)


def every_cell(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test for each task with each family."""
    return pytest.mark.parametrize(("name", "family"), CELLS, ids=lambda value: value)(test)


@pytest.fixture(scope="session")
def finished(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Run]:
    """A maker of finished runs by task and family, each made once."""
    made: dict[tuple[str, str], Run] = {}

    def make(name: str, family: str) -> Run:
        if (name, family) not in made:
            folder = tmp_path_factory.mktemp(f"{name}-{family}")
            file = tiny.recipe(
                folder / "tiny.yaml",
                name,
                checkpoint(family, dropout=False),
                data(name),
                epochs=tiny.EPOCHS.get(name, 25),
                early_stopping=None,
                evaluate_every=50,
                save_every=1000,
            )
            made[name, family] = workflow.finetune(file, output=folder / "run")
        return made[name, family]

    return make


def test_every_task_has_tiny_data() -> None:
    assert sorted(tiny.DATA) == tasks.names()


@every_task
def test_the_head_and_the_processor_exist_in_transformers(name: str) -> None:
    import transformers

    kind = tasks.find(name)
    assert all(hasattr(transformers, head) for head in kind.heads)
    assert hasattr(transformers, kind.auto_processor)


@every_task
def test_the_options_refuse_unknown_keys_and_describe_known_ones(name: str) -> None:
    kind = tasks.find(name)
    with pytest.raises(ValidationError):
        kind.Options.model_validate({"no_such_key": 1})
    assert all(field.description for field in kind.Options.model_fields.values())


@every_task
def test_the_reported_metrics_are_the_measures(name: str) -> None:
    kind = tasks.find(name)
    measure = kind.judged_by(kind.Options())
    assert measure.reported
    assert set(measure.reported) <= set(measure.names)
    assert set(measure.lower_is_better) <= set(measure.names)


@every_task
def test_the_roles_have_different_names(name: str) -> None:
    kind = tasks.find(name)
    assert not set(kind.inputs) & set(kind.targets)
    assert kind.labels_from is None or kind.labels_from in kind.targets


@every_cell
def test_it_learns(name: str, family: str, finished: Callable[[str, str], Run]) -> None:
    run = finished(name, family)
    metric, first = next(iter(run.metrics()["test"].items()))
    if metric in load_task(run.model)[1].measure.lower_is_better:
        assert first["value"] <= 1.1
    else:
        assert first["value"] >= 0.9 * most(name, metric, run)


def most(name: str, metric: str, run: Run) -> float:
    """What right answers score: not every metric of texts goes up to 1."""
    kind = tasks.find(name)
    measure = kind.judged_by(kind.Options())
    if measure.form != "texts":
        return 1.0
    references = [row["reference"] for row in predictions(run)]
    right = totals(measure.statistics([texts[0] for texts in references], references))
    return float(measure.summarize(right)[metric])


def predictions(run: Run) -> list[dict[str, Any]]:
    """The predictions of a run on its test rows."""
    lines = (run.path / "predictions" / "test.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@every_cell
def test_answers_do_not_depend_on_targets_or_on_the_batch(
    name: str, family: str, finished: Callable[[str, str], Run], data: Callable[[str], Path]
) -> None:
    run = finished(name, family)
    _, task = load_task(run.model)
    model = load_weights(run.model, task)
    recipe = load_recipe(run.path / "recipe.yaml")
    rows = load(recipe.data, type(task), task.options, 0, task.processor).splits["test"]
    with_targets = [row["prediction"] for row in evaluate(task, model, rows).predictions]
    bare = [{role: row[role] for role in task.given} for row in rows]
    one_by_one = [predict(task, model, [row])[0] for row in bare]
    assert all(nearly(a, b) for a, b in zip(with_targets, one_by_one, strict=True) if a is not None)


@every_cell
def test_predict_answers_a_file_as_the_evaluation_did(
    name: str, family: str, finished: Callable[[str, str], Run], data: Callable[[str], Path]
) -> None:
    run = finished(name, family)
    wanted = predictions(run)
    found = list(workflow.predict(run.path, str(data(name) / "test.jsonl")))
    assert [row["id"] for row in found] == [row["id"] for row in wanted]
    asked = [(a, b) for a, b in zip(found, wanted, strict=True) if b["prediction"] is not None]
    assert asked and all(nearly(a["prediction"], b["prediction"]) for a, b in asked)


def nearly(a: Any, b: Any) -> bool:
    """Whether two answers are equal up to rounding."""
    return same(likely(a), likely(b))


def likely(answer: Any) -> Any:
    """An answer without further ones so unlikely that rounding decides which of them comes first."""
    if isinstance(answer, dict) and "n_best" in answer:
        return {**answer, "n_best": [each for each in answer["n_best"] if each["score"] > 0.01]}
    return answer


@pytest.fixture(scope="module")
def plain(
    finished: Callable[[str, str], Run],
    data: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What a fresh process without tunekit answers with the model folders of all cells."""
    jobs = []
    for name, family in CELLS:
        run = finished(name, family)
        _, task = load_task(run.model)
        file = str(data(name) / "test.jsonl")
        jobs.append([f"{name}-{family}", str(run.model), task.head, file, task.options.model_dump()])
    folder = tmp_path_factory.mktemp("plain")
    (folder / "jobs.json").write_text(json.dumps(jobs))
    script = Path(__file__).parent / "plain.py"
    done = subprocess.run(
        [sys.executable, str(script), str(folder / "jobs.json")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return dict(json.loads(done.stdout))


@pytest.mark.slow
@every_cell
def test_plain_transformers_in_a_fresh_process_gives_the_same_predictions(
    name: str, family: str, finished: Callable[[str, str], Run], plain: dict[str, Any]
) -> None:
    kind = tasks.find(name)
    task = kind(kind.Options(), None)
    answers = [row["prediction"] for row in predictions(finished(name, family))]
    wanted = [task.comparable(answer) for answer in answers if answer is not None]
    assert wanted and same(plain[f"{name}-{family}"][: len(wanted)], wanted)


@pytest.mark.parametrize("family", tiny.able("token-classification"))
def test_long_sentences_become_windows_and_no_label_is_lost(
    family: str, checkpoint: Callable[..., Path]
) -> None:
    task = make_task("token-classification", checkpoint(family), ["B-LOC", "O"], max_length=16, stride=4)
    words = ["Paris", "was", "Romantic", "and", "dull", "in", "the", "very", "poor", "film"] * 6
    row = {"words": words, "tags": ["B-LOC" if word == "Paris" else "O" for word in words], "id": 0}
    windows = taught_windows(task, row)
    assert len(windows) > 3
    assert max(len(window.inputs["input_ids"]) for window in windows) <= 16
    labelled = {
        word
        for window in windows
        for word, label in zip(window.notes["word"], window.inputs["labels"], strict=True)
        if label >= 0
    }
    assert labelled == set(range(len(words)))


def test_a_window_that_opens_inside_a_word_does_not_take_it_for_a_beginning(
    checkpoint: Callable[..., Path],
) -> None:
    task = make_task("token-classification", checkpoint("bert"), ["B-LOC", "O"], max_length=8, stride=2)
    (word,) = ["incomprehensibility"]
    begun = [w.notes["word"] for w in task.encode({"words": [word]})]
    assert sum(position is not None for window in begun for position in window) == 1


@pytest.mark.parametrize("first", ["\u200bParis", "\ufeffParis", "\u00adParis"])
@pytest.mark.parametrize("family", tiny.able("token-classification"))
def test_a_word_whose_first_character_is_dropped_has_a_label(
    first: str, family: str, checkpoint: Callable[..., Path]
) -> None:
    task = make_task("token-classification", checkpoint(family), ["B-LOC", "O"])
    (window,) = task.encode({"words": ["went", first, "in"]})
    assert [word for word in window.notes["word"] if word is not None] == [0, 1, 2]


@pytest.mark.parametrize("family", tiny.able("text-classification"))
def test_words_spelled_like_special_tokens_are_not_special(
    family: str, checkpoint: Callable[..., Path]
) -> None:
    task = make_task("text-classification", checkpoint(family), ["bad", "good"])
    special = task.processor.all_special_tokens
    (plain,), (window,) = (
        list(task.encode({"text": text})) for text in ("good", f"good {' '.join(special)} good")
    )
    ids = set(task.processor.all_special_ids) - {task.processor.unk_token_id}
    counts = [sum(token in ids for token in each.inputs["input_ids"]) for each in (plain, window)]
    assert counts[0] == counts[1]


def test_each_word_is_answered_from_the_window_with_the_most_context(checkpoint: Callable[..., Path]) -> None:
    import numpy as np

    task = make_task("token-classification", checkpoint("bert"), ["B-LOC", "O"], max_length=8, stride=2)
    words = ["the", "film", "was", "good", "and", "the", "cast", "bad"]
    windows = list(task.encode({"words": words}))
    for number, window in enumerate(windows):
        size = len(window.notes["word"])
        window.outputs = {"tag": np.full(size, number % 2), "score": np.full(size, 0.5)}
    shared = set(windows[0].notes["word"]) & set(windows[1].notes["word"]) - {None}
    tags = task.decode({"words": words}, windows)["tags"]
    assert shared
    for word in shared:
        contexts = [
            min(p, len(w) - 1 - p)
            for w in (windows[0].notes["word"], windows[1].notes["word"])
            for p in [w.index(word)]
        ]
        assert tags[word] == task.labels[int(contexts[1] > contexts[0])]


def test_a_word_that_the_tokenizer_drops_is_answered_and_moves_no_other(
    checkpoint: Callable[..., Path],
) -> None:
    import numpy as np

    task = make_task("token-classification", checkpoint("bert"), ["B-LOC", "O"])
    row = {"words": ["Paris", "\u200b", "Rome"]}
    (window,) = task.encode(row)
    size = len(window.notes["word"])
    window.outputs = {"tag": np.zeros(size, int), "score": np.ones(size)}
    assert task.decode(row, [window])["tags"] == ["B-LOC", "O", "B-LOC"]


def test_entities_come_with_type_place_text_and_score(checkpoint: Callable[..., Path]) -> None:
    task = make_task("token-classification", checkpoint("bert"), ["B-PER", "I-PER", "O"])
    words, tags = Words.of(["so", "Ada", "Lovelace", "went"]), ["O", "B-PER", "I-PER", "O"]
    found = task.entities(words, tags, [1.0, 0.9, 0.7, 1.0])  # type: ignore[attr-defined]
    place = {"start": 3, "end": 15, "words": [1, 3]}
    assert found == [{"type": "PER", **place, "text": "Ada Lovelace", "score": 0.8}]


def test_the_share_of_truncated_texts_is_counted(checkpoint: Callable[..., Path]) -> None:
    task = make_task("text-classification", checkpoint("bert"), ["bad", "good"], max_length=8)
    rows = [{"text": "the film was good " * n, "label": "good", "id": n} for n in (1, 5, 1, 9)]
    assert encode(task, rows, targets=True).cut == 2

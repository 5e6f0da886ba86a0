"""The example task of the documentation, multiple choice, works from its file alone."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tunekit.tasks
from tests import tiny
from tests.building import difference, gradients, make_fitting, make_task
from tunekit import recipe as recipes
from tunekit import workflow
from tunekit.data.windows import encode
from tunekit.errors import InputError
from tunekit.prepare import check
from tunekit.run import Run

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
TASK = "multiple-choice"
THREE = "task.choices=3"
GOOD, BAD = ["good", "great", "fine"], ["bad", "poor", "dull"]

Checkpoint = Callable[..., Path]


def stories(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Rows of different lengths whose right ending is the only good one of three."""
    found = []
    for i in range(start, start + count):
        right = i * 7 // 3 % 3
        words = [GOOD[i % 3] if n == right else BAD[(i + n) % 3] for n in range(3)]
        endings = [f"the film was {word}" + " and the plot" * ((i + n) % 4) for n, word in enumerate(words)]
        found.append({"context": "Ada went to Paris " * (1 + i % 3), "endings": endings, "label": right})
    return found


@pytest.fixture(scope="module", autouse=True)
def example() -> Iterator[None]:
    """The folder of examples is one of tasks too."""
    tunekit.tasks.__path__.append(str(EXAMPLES))
    yield
    tunekit.tasks.__path__.remove(str(EXAMPLES))
    sys.modules.pop("tunekit.tasks.multiple_choice", None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training and test rows."""
    folder = tmp_path_factory.mktemp("choices")
    tiny.write_jsonl(folder / "train.jsonl", stories(96))
    tiny.write_jsonl(folder / "validation.jsonl", stories(24, start=96))
    tiny.write_jsonl(folder / "test.jsonl", stories(24, start=120))
    return folder


@pytest.fixture(scope="module")
def run(data: Path, checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of a tiny BERT."""
    folder = tmp_path_factory.mktemp("choice")
    file = tiny.recipe(folder / "r.yaml", TASK, checkpoint("bert"), data, epochs=4)
    return workflow.finetune(file, THREE, output=folder / "run")


def problems(folder: Path, model: Path, row: dict[str, Any]) -> list[str]:
    """What is wrong with a file whose fourth line is a row."""
    file = tiny.write_jsonl(folder / "choices.jsonl", [*stories(3), row])
    recipe = recipes.load(tiny.recipe(folder / "r.yaml", TASK, model, file), [THREE])
    with pytest.raises(InputError) as caught:
        check(recipe, Run(folder / "run"), overwrite=False)
    return [problem.replace(str(folder), "DIR") for problem in caught.value.problems]


def test_the_example_learns(run: Run) -> None:
    assert run.metrics()["test"]["accuracy"]["value"] >= 0.9


def test_the_longest_ending_is_a_baseline(run: Run) -> None:
    found = run.metrics()["test"]
    assert found["longest_accuracy"]["value"] < found["accuracy"]["value"]


def test_rows_without_targets_are_answered_as_in_the_evaluation(run: Run, tmp_path: Path) -> None:
    given = [{key: row[key] for key in ("context", "endings")} for row in stories(24, start=120)]
    answers = workflow.predict(run.path, str(tiny.write_jsonl(tmp_path / "given.jsonl", given)))
    scored = [json.loads(line) for line in (run.path / "predictions" / "test.jsonl").read_text().splitlines()]
    assert [row["prediction"] for row in answers] == [row["prediction"] for row in scored]


def test_an_answer_is_a_given_ending_with_its_number(run: Run, tmp_path: Path) -> None:
    (row,) = stories(1)
    (answer,) = workflow.predict(run.path, str(tiny.write_jsonl(tmp_path / "row.jsonl", [row])))
    found = answer["prediction"]
    assert found["ending"] == row["endings"][found["number"]]
    assert found["probabilities"][found["number"]] == max(found["probabilities"])


def test_a_row_with_fewer_endings_is_answered_as_if_alone(run: Run, tmp_path: Path) -> None:
    three, two = stories(1)[0], {"context": "Ada", "endings": ["the film was dull", "the film was good"]}
    (alone,) = workflow.predict(run.path, str(tiny.write_jsonl(tmp_path / "two.jsonl", [two])))
    *_, beside = workflow.predict(run.path, str(tiny.write_jsonl(tmp_path / "all.jsonl", [three, two])))
    assert beside["prediction"]["number"] == 1
    assert beside["prediction"]["probabilities"] == pytest.approx(
        alone["prediction"]["probabilities"], abs=1e-5
    )


@pytest.mark.parametrize("answer", [3, -1, 0.5])
def test_the_number_of_no_ending_is_refused(answer: float, checkpoint: Checkpoint, tmp_path: Path) -> None:
    assert problems(tmp_path, checkpoint("bert"), stories(1)[0] | {"label": answer}) == [
        f"DIR/choices.jsonl:4: answer {answer:g} is the number of no ending, which go from 0 to 2; "
        "correct the row, or set data.bad_rows=skip"
    ]


def test_a_row_with_another_number_of_endings_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    row = {"context": "Ada", "endings": ["good", "bad"], "label": 0}
    assert problems(tmp_path, checkpoint("bert"), row) == [
        "DIR/choices.jsonl:4: 2 endings, but every row must have 3; mend it or set task.choices"
    ]


def test_a_row_with_a_text_that_is_cut_is_counted(checkpoint: Checkpoint) -> None:
    task = make_task(TASK, checkpoint("bert"), [], choices=2, max_length=8)
    short, long = [["good", "bad"], ["bad", "good " * 9]]
    rows = [{"context": "the film", "endings": endings} for endings in (short, long)]
    assert encode(task, rows, targets=False).cut == 1


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra", "deberta-v2", "modernbert"])
def test_gradients_do_not_depend_on_how_a_step_is_cut(
    family: str, checkpoint: Checkpoint, data: Path, tmp_path: Path
) -> None:
    model = checkpoint(family, dropout=False)
    fitting = make_fitting(tmp_path, TASK, model, data, THREE, batch_size=16)
    steps = fitting.steps
    steps.most = 16
    whole = gradients(fitting.optimization, steps)
    for most in (5, 1):
        steps.most = most
        assert len(steps[0].micros) == -(-16 // most)
        assert difference(whole, gradients(fitting.optimization, steps)) < 1e-6

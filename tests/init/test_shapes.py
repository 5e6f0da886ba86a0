"""`tunekit init` on data of many shapes: its recipe is the right one, passes the checks, and trains."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.init.shapes import SHAPES
from tunekit import examination, init, tasks, workflow
from tunekit import recipe as recipes
from tunekit.tasks._writer import Writer

SAYS = ("kind", "label_separator", "allow_no_answer", "scheme")  # options that say what is asked
WRITTEN = ("separator", "encoding", "bad_rows")
SHORT = ("train.steps=2", "train.batch_size=4", "train.precision=fp32", "train.log_every=1")
Started = Callable[[str], Path]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path]) -> Started:
    """A maker of the recipe for a shape and a tiny model, each made once."""
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            folder, shape = tmp_path_factory.mktemp("shape"), SHAPES[name]
            look = init.inspect_data(str(shape.make(folder)))
            proposal = init.propose(look, *init.decide(look, None, {}, None), str(checkpoint(shape.family)))
            init.write(proposal, folder / "recipe.yaml")
            made[name] = folder / "recipe.yaml"
        return made[name]

    return make


def settings(recipe: Path, section: str) -> dict[str, Any]:
    """A section of a recipe as it is written."""
    found: dict[str, Any] = yaml.safe_load(recipe.read_text())[section]
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_the_task_is_guessed(name: str, started: Started) -> None:
    assert recipes.load(started(name)).task.name == SHAPES[name].task


@pytest.mark.parametrize("name", SHAPES)
def test_the_columns_are_guessed(name: str, started: Started) -> None:
    assert recipes.load(started(name)).data.columns == SHAPES[name].columns


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_asked_is_guessed(name: str, started: Started) -> None:
    task = settings(started(name), "task")
    assert {key: task[key] for key in SAYS if key in task} == SHAPES[name].options


@pytest.mark.parametrize("name", SHAPES)
def test_how_the_files_are_written_is_guessed(name: str, started: Started) -> None:
    data = settings(started(name), "data")
    assert {key: data[key] for key in WRITTEN if key in data} == SHAPES[name].written


@pytest.mark.parametrize("name", SHAPES)
def test_the_recipe_passes_all_checks(name: str, started: Started) -> None:
    report = examination.examine(started(name), step=False)
    assert report.code == 0, report.text()


@pytest.mark.parametrize("name", SHAPES)
def test_the_recipe_trains(name: str, started: Started, tmp_path: Path) -> None:
    kind = tasks.find(SHAPES[name].task)
    writes = [f"task.{kind.Options.lengths[1]}=6", "task.beams=1"] if issubclass(kind, Writer) else []
    run = workflow.finetune(started(name), *SHORT, *writes, output=tmp_path / "run")
    assert run.status == "finished"

"""Tiny finished runs, one of each task, with their reports."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tunekit import workflow
from tunekit.run import Run

MODELS = {  # that learn each task
    "image-classification": "vit",
    "question-answering": "bert",
    "summarization": "t5",
    "text-classification": "bert",
    "token-classification": "bert",
}


@pytest.fixture(scope="session")
def run_of(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Run]:
    """A maker of finished runs by task, each made once."""
    made: dict[str, Run] = {}

    def make(task: str) -> Run:
        if task not in made:
            folder = tmp_path_factory.mktemp(task)
            file = tiny.recipe(folder / "tiny.yaml", task, checkpoint(MODELS[task]), data(task), epochs=2)
            made[task] = workflow.finetune(file, output=folder / "run")
        return made[task]

    return make

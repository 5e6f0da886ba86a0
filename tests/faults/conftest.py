"""What the fault tests share: a server of runs, a recipe, and an uninterrupted run of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import tiny
from tests.faults.processes import Process, Server, results

TASK = "text-classification"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server of runs."""
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="session")
def recipe(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A recipe of 2 epochs of 6 steps, with dropout, uneven logging and saving, and two forwards a step."""
    folder = tmp_path_factory.mktemp("recipe")
    model, rows = checkpoint("bert"), data(TASK)
    settings = {"log_every": 4, "save_every": 2, "micro_batch": 5, "keep": 2, "early_stopping": None}
    return tiny.recipe(folder / "tiny.yaml", TASK, model, rows, **settings)


@pytest.fixture
def start(server: Server, recipe: Path, tmp_path: Path) -> Callable[..., Process]:
    """Start the recipe's run in this test's folder."""

    def begin(
        *overrides: str, at: int | None = None, output: str = "run", patience: int | None = None
    ) -> Process:
        run = tmp_path / output
        argv = ["finetune", str(recipe), *overrides, "--output", str(run)]
        return server.start(*argv, said=tmp_path / "said.txt", folder=run, at=at, patience=patience)

    return begin


@pytest.fixture(scope="session")
def wanted(server: Server, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the uninterrupted run gives."""
    folder = tmp_path_factory.mktemp("whole")
    argv = ["finetune", str(recipe), "--output", str(folder / "run")]
    assert server.start(*argv, said=folder / "said.txt").wait() == 0
    return results(folder / "run")

"""Fixtures that many tests share. No test uses the network."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models gain nothing from more

from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

from tests import tiny, tiny_models  # noqa: E402
from tunekit.console import out  # noqa: E402


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A maker of tiny checkpoints by family, each made once."""
    made: dict[str, Path] = {}

    def make(family: str, *, dropout: bool = True) -> Path:
        key = f"{family}-{dropout}"
        if key not in made:
            import torch

            torch.manual_seed(0)
            settings = {} if dropout else tiny_models.NO_DROPOUT[family]
            maker = tiny_models.FAMILIES.get(family) or getattr(tiny_models, family)
            made[key] = maker(tmp_path_factory.mktemp("checkpoints") / key, **settings)
        return made[key]

    return make


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A maker of tiny data folders by task, each made once."""
    made: dict[str, Path] = {}

    def make(task: str) -> Path:
        if task not in made:
            made[task] = tiny.dataset(tmp_path_factory.mktemp("data") / task, task)
        return made[task]

    return make


@pytest.fixture(autouse=True)
def console() -> Iterator[None]:
    """Every test begins with a console that speaks plainly."""
    yield
    out.json, out.quiet, out.speaks = False, False, True

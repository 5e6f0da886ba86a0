"""`tunekit init` on data sets of a Hub."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny
from tests.hub.clients import Client, with_accounts
from tests.hub.pushed import Told, together
from tests.hub.server import Hub
from tunekit import recipe as recipes

TWO = b"""---
configs:
- config_name: films
  data_files: films.csv
- config_name: books
  data_files: books.csv
---
"""


@pytest.fixture(scope="module")
def home(folder: Callable[[str], Path]) -> Path:
    """Where the recipes are written."""
    return folder("home")


@pytest.fixture(scope="module")
def told(folder: Callable[[str], Path], home: Path) -> dict[str, Told]:
    """What the command says of data sets."""
    rows = tiny.dataset(folder("rows") / "rows", "text-classification", train=40)
    lines = "".join(f"the film {i} was good,{'yes' if i % 2 else 'no'}\n" for i in range(40))
    sheet = f"text,label\n{lines}".encode()
    commands = {
        "rows": ["init", "ada/rows", "--json"],
        "tagged": ["init", "ada/rows", "data.revision=v1", "--output", "tagged.yaml"],
        "two": ["init", "ada/two"],
        "films": ["init", "ada/two", "data.config=films", "--output", "films.yaml"],
    }
    with Hub() as hub:
        repo = hub.add_repo("ada/rows", {path.name: path.read_bytes() for path in rows.iterdir()}, "dataset")
        repo.tags["v1"] = repo.branches["main"]
        hub.add_repo("ada/two", {"README.md": TWO, "films.csv": sheet, "books.csv": sheet}, "dataset")
        return together(Client(with_accounts(hub), home), commands)


def test_a_data_set_becomes_a_recipe_of_its_name(told: dict[str, Told], home: Path) -> None:
    assert told["rows"].json()["rows"] == {"train": 40, "validation": 12, "test": 12}
    data = recipes.load(home / "rows.yaml").data
    assert data.path == "ada/rows"
    assert data.columns == {"text": "text", "label": "label", "id": "id"}


def test_a_revision_goes_into_the_recipe(told: dict[str, Told], home: Path) -> None:
    assert told["tagged"].code == 0
    assert recipes.load(home / "tagged.yaml").data.revision == "v1"


def test_of_several_configurations_one_must_be_named(told: dict[str, Told], home: Path) -> None:
    assert told["two"].code == 2
    assert "data.config" in told["two"].err
    assert recipes.load(home / "films.yaml").data.config == "films"

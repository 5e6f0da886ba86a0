"""datasets and transformers, unmodified, load from the loopback Hub and push to it."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub.clients import Seen, driven, with_accounts
from tests.hub.server import Hub

CSV = b"text,label\ngood,1\nbad,0\n"
TWO = b"""---
configs:
- config_name: first
  data_files: first.csv
- config_name: second
  data_files: second.csv
---
"""


@pytest.fixture(scope="module")
def datasets(folder: Callable[[str], Path]) -> Iterator[Seen]:
    """A Hub that `datasets` has read and written."""
    with Hub() as hub:
        with_accounts(hub)
        offer(hub)
        yield hub, driven(hub, folder("data"), "data")


def offer(hub: Hub) -> None:
    """Fill a Hub with data sets."""
    import pyarrow
    import pyarrow.parquet

    parquet = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"text": ["parquet"], "label": [1]}), parquet)
    made = hub.add_repo("bob/csv", {"train.csv": CSV}, "dataset")
    made.tags["v1"] = made.branches["main"]
    hub.add_commit("bob/csv", {"train.csv": CSV + b"poor,0\n", "test.csv": CSV}, kind="dataset")
    hub.add_repo("bob/first-name", {"data/test-00000-of-00001.parquet": parquet.getvalue()}, "dataset")
    hub.rename("bob/first-name", "bob/second-name", "dataset")
    hub.add_repo("bob/private", {"train.csv": CSV}, "dataset", private=True)
    hub.add_repo("org/private", {"train.csv": CSV}, "dataset", private=True)
    hub.add_repo("bob/two", {"README.md": TWO, "first.csv": CSV, "second.csv": CSV[:18]}, "dataset")


@pytest.fixture(scope="module")
def model(folder: Callable[[str], Path]) -> Iterator[Seen]:
    """A Hub that a model was pushed to and loaded from."""
    with Hub() as hub:
        yield with_accounts(hub), driven(hub, folder("models"), "models")


def test_csv_and_parquet_are_loaded_by_split_revision_configuration_and_old_name(datasets: Seen) -> None:
    told = datasets[1]
    assert told["csv"]["train"] == {"text": ["good", "bad", "poor"], "label": [1, 0, 0]}
    assert told["revision"] == {"text": ["good", "bad"], "label": [1, 0]} == told["csv"]["test"]
    assert told["configuration"] == {"text": ["good"], "label": [1]}
    assert told["old name"] == {"text": ["parquet"], "label": [1]}


def test_a_private_data_set_is_streamed_with_the_token_alone(datasets: Seen) -> None:
    told = datasets[1]
    assert told["private stream"] == [{"text": "good", "label": 1}, {"text": "bad", "label": 0}]
    assert "DatasetNotFoundError" in told["private, anonymous"]["kinds"]
    assert "DatasetNotFoundError" in told["private"]["kinds"]


def test_a_pushed_data_set_comes_back(datasets: Seen) -> None:
    hub, told = datasets
    assert told["pushed"] and told["pushed stream"][0] == {"text": "good", "label": 1}
    assert hub.repo("ada/pushed", "dataset").private


def test_a_pushed_model_comes_back(model: Seen) -> None:
    assert model[1]["weights"]
    assert model[1]["tokens"] == model[1]["local tokens"]
    assert len(model[0].commits("ada/renamed")) == 2


def test_a_pipeline_finds_a_model_by_its_old_name(model: Seen) -> None:
    assert model[1]["filled"] == 5

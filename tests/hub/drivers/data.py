"""Data sets that `datasets` loads from a Hub and pushes to it."""

from typing import Any

import datasets

from tests.hub.drivers import caught, tell


def loaded() -> dict[str, Any]:
    """Load what the Hub has."""
    found = datasets.load_dataset("bob/csv")
    return {
        "csv": {name: split.to_dict() for name, split in found.items()},
        "old name": datasets.load_dataset("bob/first-name", split="test").to_dict(),
        "private": caught(lambda: datasets.load_dataset("bob/private")),
        "private stream": list(datasets.load_dataset("org/private", split="train", streaming=True)),
        "private, anonymous": caught(lambda: datasets.load_dataset("org/private", token=False)),
        "configuration": datasets.load_dataset("bob/two", "second", split="train").to_dict(),
        "revision": datasets.load_dataset("bob/csv", split="train", revision="v1").to_dict(),
    }


def pushed() -> dict[str, Any]:
    """Push a data set, which makes parquet of it, and load it again."""
    rows = {"text": ["good", "bad"] * 8, "label": [1, 0] * 8}
    datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows)}).push_to_hub("ada/pushed", private=True)
    stream = datasets.load_dataset("ada/pushed", split="train", streaming=True)
    return {
        "pushed": datasets.load_dataset("ada/pushed", split="train").to_dict() == rows,
        "pushed stream": list(stream.take(2)),
    }


if __name__ == "__main__":
    datasets.disable_progress_bars()
    tell(loaded() | pushed())

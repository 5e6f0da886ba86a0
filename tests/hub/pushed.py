"""A Hub with a base model, a data set, and a model that was made from both and pushed."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.hub.clients import Client, with_accounts
from tests.hub.server import Hub

TASK = "text-classification"
BASE, ROWS, TUNED = "ada/base", "ada/reviews", "ada/tuned"
TWICE = "ada/twice"  # a data set that was changed after it was tagged
SEVERAL = """
import contextlib, io, json, os, sys
from tunekit import cli

told = []
for words, variables in json.load(sys.stdin):
    os.environ.update(variables)
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["tunekit", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
    told.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Told:
    """What a command ended with."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed, which is JSON.

        Raises:
            AssertionError: it has failed.
        """
        assert self.code in (0, 1), self.err
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        """What it printed, which is a JSON document a line."""
        assert self.code == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]


Command = tuple[Sequence[object], Mapping[str, str]]  # its words, and variables that are set from here on


def together(
    client: Client, commands: Mapping[str, Sequence[object] | Command], **variables: str
) -> dict[str, Told]:
    """What commands end with that are run one after the other in one process, by the names they are given."""
    given = [each if isinstance(each, tuple) else (each, {}) for each in commands.values()]
    said = json.dumps([[[str(word) for word in words], dict(more)] for words, more in given])
    found = client.run("-c", SEVERAL, said=said, variables=variables).json()
    return dict(zip(commands, (Told(*each) for each in found), strict=True))


@dataclass(frozen=True)
class World:
    """A Hub, a run that was made from what it has, and where both are used."""

    hub: Hub
    folder: Path
    recipe: Path
    made: dict[str, Told]  # what the commands ended with that made the run

    @property
    def run(self) -> Path:
        """The run, made from the Hub's base model and data set."""
        return self.folder / "run"

    @property
    def maker(self) -> Client:
        """Who made it, whose cache has the base model and the data set."""
        return self.client("maker")

    def client(self, name: str) -> Client:
        """Somebody with a cache of their own."""
        (self.folder / name).mkdir(exist_ok=True)
        return Client(self.hub, self.folder / name)

    def offer(self, name: str, changes: Mapping[str, bytes | None] | None = None, **how: bool) -> None:
        """Push the run's model under a name, with some files changed or left out."""
        files = {**layout(self.run), **(changes or {})}
        self.hub.add_repo(name, {path: text for path, text in files.items() if text is not None}, **how)


def layout(run: Path) -> dict[str, bytes]:
    """The files of a pushed run."""
    from tunekit.hub.lock import public_facts
    from tunekit.run import Run

    files = {path.name: path.read_bytes() for path in (run / "model").iterdir()}
    files |= {name: (run / name).read_bytes() for name in ("README.md", "recipe.yaml", "metrics.json")}
    return files | {"reproduce.json": json.dumps(public_facts(Run(run))).encode()}


@pytest.fixture(scope="session")
def world(
    checkpoint: Callable[..., Path], data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A Hub with a base model, a data set, and a model made from them."""
    folder = tmp_path_factory.mktemp("world")
    base = {path.name: path.read_bytes() for path in checkpoint("bert").iterdir()}
    with Hub() as hub:
        with_accounts(hub)
        hub.add_repo(
            BASE, {**base, "README.md": b"---\nlicense: mit\n---\n", "tf_model.h5": b"other weights"}
        )
        hub.add_repo(ROWS, {path.name: path.read_bytes() for path in data(TASK).iterdir()}, "dataset")
        offer_twice(hub)
        recipe = tiny.recipe(folder / "tiny.yaml", TASK, Path(BASE), Path(ROWS), steps=40)
        made = World(hub, folder, recipe, {})
        made.made.update(
            together(
                made.maker,
                {
                    "fetch": ["fetch", recipe, "--json"],
                    "fetch again": ["fetch", recipe],
                    "fetch old rows": ["fetch", recipe, f"data={TWICE}@v1"],
                    "fetch new rows": ["fetch", recipe, f"data={TWICE}"],
                    "finetune": ["finetune", recipe, "--output", made.run, "--json"],
                },
            )
        )
        assert made.made["finetune"].code == 0, made.made["finetune"].err
        made.offer(TUNED, {"payload.py": b"raise SystemExit", "optimizer.pt": b"", "pytorch_model.bin": b"x"})
        hub.repo(TUNED).tags["v1"] = hub.commits(TUNED)[0]
        yield made


def offer_twice(hub: Hub) -> None:
    """Offer a data set of two commits, of which the first is tagged."""
    rows = b"text,label\ngood,1\nbad,0\n"
    repo = hub.add_repo(TWICE, {"train.csv": rows}, "dataset")
    repo.tags["v1"] = repo.branches["main"]
    hub.add_commit(TWICE, {"train.csv": rows + b"poor,0\n"}, kind="dataset")


def copied(run: Path, place: Path) -> Path:
    """A copy of a run."""
    return Path(shutil.copytree(run, place))

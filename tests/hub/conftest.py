"""What the tests around the Hub share: a Hub, and processes that talk to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub.clients import Client, with_accounts
from tests.hub.pushed import world  # noqa: F401  a fixture
from tests.hub.server import Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A Hub that knows Ada and Bob."""
    with Hub() as made:
        yield with_accounts(made)


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Client:
    """Ada's processes, which start with empty caches."""
    home = tmp_path / "home"
    home.mkdir()
    return Client(hub, home)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A maker of empty folders."""
    return tmp_path_factory.mktemp

"""How large these tests are: everything as issue and documentation say with ASSESS_RELIABILITY=full, else a tenth."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fleet_place import Fleet, make_fleet
from tests.support.nothing_left import Adopted, adopting

FULL = os.environ.get("ASSESS_RELIABILITY", "") == "full"


def size(full: int, small: int) -> int:
    """The one number or the other."""
    return full if FULL else small


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Made once; who runs something on it takes a copy."""
    return make_fleet(tmp_path_factory.mktemp("fleet"), count=size(50, 10))


@pytest.fixture
def mine(fleet: Fleet, tmp_path: Path) -> Fleet:
    """A copy for one test."""
    return fleet.copy(tmp_path / "mine")


@pytest.fixture
def adopted() -> Iterator[Adopted]:
    """Who loses its parent comes to us. Looked at when the test has ended: nobody may be alive then."""
    with adopting() as found:
        yield found
    assert not found.alive


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They take minutes, on purpose."""
    for item in items:
        if "reliability" in item.path.parts:
            item.add_marker(pytest.mark.acceptance)
            item.add_marker(pytest.mark.timeout(3600 if FULL else 1800))

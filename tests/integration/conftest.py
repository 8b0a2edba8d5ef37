"""What integration tests share: answers of programs that were asked the same before, and a registry made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client_place import publish_two_releases
from tests.support.registry_tree import RegistryTree
from tests.support.remembered import Remembered

REMEMBERING = ("test_audit_cli", "test_closure_advisories", "test_new_cli", "test_reaudit")
"""Tests of what an audit's answers lead to; those of the programs it asks are in test_audit_tools."""


@pytest.fixture(scope="session")
def remembered() -> Remembered:
    """A test in which the programs matter calls `forget` first."""
    return Remembered()


@pytest.fixture(autouse=True)
def _asked_once(request: pytest.FixtureRequest, remembered: Remembered) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.path.stem in REMEMBERING:
            remembered.within(patch)
        yield


@pytest.fixture(scope="session")
def two_releases(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    """For copies: nobody changes it."""
    return publish_two_releases(tmp_path_factory.mktemp("two-releases"))


@pytest.fixture
def tree(two_releases: RegistryTree, tmp_path: Path) -> RegistryTree:
    """A registry of the test's own; files that need another one define theirs."""
    return two_releases.copy(tmp_path / "copy")

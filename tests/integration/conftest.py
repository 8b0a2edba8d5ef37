"""What integration tests share: answers of programs that were asked before, a registry, and how workers start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assess_core.host import prepared
from tests.support.client_place import publish_two_releases
from tests.support.compiled import Compiled
from tests.support.registry_tree import RegistryTree
from tests.support.remembered import Remembered

REMEMBERING = ("test_audit_cli", "test_closure_advisories", "test_lock_command", "test_new_cli", "test_reaudit")
"""Tests of what a program's answers lead to; those of the programs that an audit asks are in test_audit_tools."""

COMPILING = ("test_store_", "test_other_interpreters")
"""How the names begin of files in which bytecode is what is tested."""


LONG = ("test_bundle_damage", "test_rolled_back", "test_up", "test_up_journal", "test_up_shown")
"""A fifth of the time of all integration tests: `make acceptance` has them, and `make test` is short of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They are told by the mark."""
    for item in items:
        if "integration" in item.path.parts and item.path.stem in LONG:
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def remembered() -> Remembered:
    """A test in which the programs matter calls `forget` first."""
    return Remembered()


@pytest.fixture(params=["spawn", "fork"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Isolated workers of this process are all spawned, or all forked; so are those of programs that look for it."""
    monkeypatch.setattr(prepared, "SPAWNED_FIRST", 0 if request.param == "fork" else 1 << 30)
    monkeypatch.setenv("ASSESS_TEST_START", request.param)
    return str(request.param)


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    return Compiled()


@pytest.fixture(autouse=True)
def _asked_once(request: pytest.FixtureRequest, remembered: Remembered, compiled: Compiled) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.path.stem in REMEMBERING:
            remembered.within(patch)
        if not request.path.stem.startswith(COMPILING):
            compiled.within(patch)
        yield


@pytest.fixture(scope="session")
def two_releases(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    """For copies: nobody changes it."""
    return publish_two_releases(tmp_path_factory.mktemp("two-releases"))


@pytest.fixture
def tree(two_releases: RegistryTree, tmp_path: Path) -> RegistryTree:
    """A registry of the test's own; files that need another one define theirs."""
    return two_releases.copy(tmp_path / "copy")

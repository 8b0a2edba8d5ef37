"""A disk that is really full, whatever room is left: nothing is half done, and all is right once there is room."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from assess_core.errors import FaultKind, StoreError
from assess_core.host.quarantine import Fatality, Quarantine, Quarantines
from assess_core.journal import Journal
from assess_core.store import Pin, Store, prune, verify_environment
from assess_registry.client import Registry, VerifiedWheel, parse_project
from tests.support.installing import DemoRegistry, install_here
from tests.support.mounts import fill, in_mounts, may_mount, mount_tmpfs
from tests.support.registry_tree import make_registry_tree
from tests.support.wheels import demo_plugin_wheel

pytestmark = pytest.mark.skipif(not may_mount(), reason="needs the right to mount")

NAME = parse_project("demo-plugin")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
PAGE = 4096
"""tmpfs gives room by the page: with none, a file can be made and nothing written to it."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[VerifiedWheel, VerifiedWheel]:
    """Two versions with a closure of one module each."""
    plugins = (demo_plugin_wheel("1.0.0"), demo_plugin_wheel("1.1.0"))
    tree = make_registry_tree(tmp_path_factory.mktemp("registry"), plugins=plugins)
    registry = DemoRegistry(tree=tree, registry=Registry(tree.config()))
    return registry.verified("demo-plugin==1.0.0"), registry.verified("demo-plugin==1.1.0")


def ends(root: Path, operation: Callable[[], object], *, leave: int) -> bool:
    """Whether it ended well with so much room; where not, it said that there is none. All room is back afterwards."""
    filling = fill(root, leave=leave)
    said = ""
    try:
        operation()
    except StoreError as error:
        said = str(error)
    finally:
        filling.unlink()
    assert not said or "no room" in said or "No space" in said or "is full" in said, said
    return not said


def sound(store: Store, *versions: str) -> None:
    """One of these versions serves, and it and every other one that counts is whole."""
    serves = store.find(NAME)
    assert serves is not None
    assert serves.version in versions
    for record in store.records():
        assert verify_environment(record.plugin.environment, store=store).accepted


def test_installing_and_activating(tmp_path: Path, wheels: tuple[VerifiedWheel, VerifiedWheel]) -> None:
    old, new = wheels

    def work() -> None:
        outcomes = set()
        for number, pages in enumerate((0, 1, 2, 3, 5, 8, 12, 16, 20, 24, 28, 32, 40, 60)):
            root = tmp_path / str(number)
            mount_tmpfs(root, kib=4096)
            store = Store(root)
            store.activate(install_here(old, store))

            def upgrade(store: Store = store) -> None:
                store.activate(install_here(new, store))

            outcomes.add(ends(root, upgrade, leave=pages * PAGE))
            sound(store, "1.0.0", "1.1.0")
            upgrade()
            sound(store, "1.1.0")
            assert list(store.layout.path("staging").iterdir()) == []
        assert outcomes == {True, False}

    assert in_mounts(work) == 0


def choose(store: Store) -> None:
    store.choose(NAME, lambda known: replace(known, pin=Pin(version="1.0.0", at=NOW, by="root", why="pin")))


def quarantined(store: Store) -> None:
    death = Fatality(at=NOW, kind=FaultKind.EXITED, phase="load", message="it died")
    made = Quarantine(env_key="0" * 64, version="1", sha256="0" * 64, since=NOW, deaths=(death,), log_tail="x" * 9000)
    Quarantines(store.layout.path("quarantine")).put(NAME, made)


def back(store: Store) -> None:
    store.rollback(NAME)


def journal(store: Store) -> None:
    with Journal.open(store.root / "journal.db") as opened:
        assert opened.runs() == ()


@pytest.mark.parametrize("operation", [choose, quarantined, back, journal])
def test_what_is_written_beside(
    tmp_path: Path, wheels: tuple[VerifiedWheel, VerifiedWheel], operation: Callable[[Store], None]
) -> None:
    def work() -> None:
        outcomes = set()
        for number, pages in enumerate((0, 1, 2, 3, 4, 6, 8, 16, 60)):
            root = tmp_path / str(number)
            mount_tmpfs(root, kib=4096)
            store = Store(root)
            for wheel in wheels:
                store.activate(install_here(wheel, store))
            outcomes.add(ends(root, partial(operation, store), leave=pages * PAGE))
            sound(store, "1.0.0", "1.1.0")
            assert store.choices(NAME).pin is None or operation is choose
            operation(store)
            sound(store, "1.0.0", "1.1.0")
        assert outcomes == {True, False}

    assert in_mounts(work) == 0


def test_a_full_disk_can_be_pruned(tmp_path: Path, wheels: tuple[VerifiedWheel, VerifiedWheel]) -> None:
    def work() -> None:
        root = tmp_path / "full"
        mount_tmpfs(root, kib=4096)
        store = Store(root)
        for wheel in wheels:
            store.activate(install_here(wheel, store))
        fill(root, leave=0)
        assert [each.version for each in prune(store, kits=frozenset(), keep=0).removed] == ["1.0.0"]
        sound(store, "1.1.0")

    assert in_mounts(work) == 0

"""A kill at any instruction of what changes one small file leaves the old or the new one, and nothing beside it."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assess_core.store import Choices, Pin, Store
from assess_registry.client import Registry, parse_project, parse_sha256
from tests.support.installing import DemoRegistry, install_here, tree_of
from tests.support.kills import steps
from tests.support.registry_tree import make_registry_tree
from tests.support.wheels import demo_plugin_wheel

NAME = parse_project("demo-plugin")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
PIN = Pin(version="1.0.0", at=NOW, by="root (uid 0)", why="pin")
WHEEL = parse_sha256("1" * 64)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.1.0 serves, 1.0.0 did before, and one more failed."""
    directory = tmp_path_factory.mktemp("kills")
    tree = make_registry_tree(
        directory / "registry", plugins=tuple(demo_plugin_wheel(each) for each in ("1.0.0", "1.1.0"))
    )
    registry = DemoRegistry(tree=tree, registry=Registry(tree.config()))
    store = Store(directory / "state")
    for version in ("1.0.0", "1.1.0"):
        store.activate(install_here(registry.verified(f"demo-plugin=={version}"), store))
    store.choose(NAME, failed)
    return store.root


def failed(known: Choices) -> Choices:
    return known.with_failure("1.2.0", WHEEL, interpreter="3.11.9", kit="kit", at=NOW, reason="it died")


def pinned(store: Store) -> None:
    store.choose(NAME, lambda known: replace(known, pin=PIN))


def failed_again(store: Store) -> None:
    store.choose(NAME, failed)


def forgotten(store: Store) -> None:
    store.choose(NAME, lambda known: known.without(WHEEL))


def rolled_back(store: Store) -> None:
    store.rollback(NAME)


@pytest.mark.parametrize("work", [pinned, failed_again, forgotten, rolled_back])
def test_the_old_or_the_new_one(filled: Path, tmp_path: Path, work: Callable[[Store], None]) -> None:
    store, number = Store(filled), 0

    def prepare() -> None:
        nonlocal store, number
        if number:
            shutil.rmtree(store.root)
        number += 1
        assert os.spawnlp(os.P_WAIT, "cp", "cp", "-a", str(filled), str(tmp_path / str(number))) == 0
        store = Store(tmp_path / str(number))

    def state() -> tuple[Choices, str]:
        serves = store.find(NAME)
        assert serves is not None
        return store.choices(NAME), serves.version

    prepare()
    before = state()
    work(store)
    after, names = state(), tree_of(store.root).keys()
    assert before != after
    seen = []
    for _ in steps(lambda: work(store), prepare):
        seen.append(state())
        with store.layout.locked():  # whoever comes next clears away what is left
            pass
        assert state() == seen[-1]
        assert tree_of(store.root).keys() <= names | tree_of(filled).keys()
    assert set(seen) == {before, after}
    assert len(seen) > 5

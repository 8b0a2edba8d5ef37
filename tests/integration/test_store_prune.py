"""What nobody needs is removed, what somebody needs or uses stays, whoever is killed in the middle."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.store import (
    Consents,
    DamagedError,
    InstalledPlugin,
    Pin,
    Store,
    Waiting,
    check,
    prune,
    uninstall,
    verify_environment,
)
from assess_core.store.consents import write_consents
from assess_registry.client import Permissions, Registry, parse_project
from tests.support.installing import DemoRegistry, install_here, run_in_child, tree_of
from tests.support.kills import steps, stride
from tests.support.registry_tree import make_registry_tree
from tests.support.wheels import demo_plugin_wheel

NAME = parse_project("demo-plugin")
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
KITS: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with four versions, made active in order."""
    directory = tmp_path_factory.mktemp("prune")
    tree = make_registry_tree(directory / "registry", plugins=tuple(demo_plugin_wheel(each) for each in VERSIONS))
    registry = DemoRegistry(tree=tree, registry=Registry(tree.config()))
    store = Store(directory / "state")
    for number, version in enumerate(VERSIONS):
        moment = NOW.replace(hour=number)
        store.activate(install_here(registry.verified(f"demo-plugin=={version}"), store, clock=lambda m=moment: m))
    return store.root


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Store:
    return copied(filled, tmp_path / "state")


def copied(filled: Path, to: Path) -> Store:
    """The same, links among its files included."""
    assert os.spawnlp(os.P_WAIT, "cp", "cp", "-a", str(filled), str(to)) == 0
    return Store(to)


def plugin(store: Store, version: str) -> InstalledPlugin:
    return next(each.plugin for each in store.records() if each.plugin.version == version)


def versions(store: Store) -> list[str]:
    return sorted(record.plugin.version for record in store.records())


def test_what_serves_and_what_served_before_stay(store: Store) -> None:
    pruned = prune(store, kits=KITS)
    assert {(each.distribution, each.version) for each in pruned.removed} == {(NAME, "1.0.0"), (NAME, "1.1.0")}
    assert pruned.in_use == ()
    assert versions(store) == ["1.2.0", "1.3.0"]
    assert store.rollback(NAME).version == "1.2.0"
    assert all(verify_environment(each.plugin.environment, store=store).accepted for each in store.records())
    assert prune(store, kits=KITS).removed == ()


@pytest.mark.parametrize(
    ("pinned", "left"), [("1.0", ["1.0.0", "1.3.0"]), ("1.0.0", ["1.0.0", "1.3.0"]), ("1.0rc1", ["1.3.0"])]
)
def test_what_is_pinned_stays_however_the_pin_is_spelled(store: Store, pinned: str, left: list[str]) -> None:
    pin = Pin(version=pinned, at=NOW, by="rita (uid 7)", why="pin")
    store.choose(NAME, lambda known: replace(known, pin=pin))
    prune(store, kits=KITS, keep=0)
    assert versions(store) == left


@pytest.mark.parametrize(("keep", "left"), [(0, 1), (1, 2), (2, 3), (3, 4), (9, 4)])
def test_as_many_older_ones_stay_as_are_asked_for(store: Store, keep: int, left: int) -> None:
    prune(store, kits=KITS, keep=keep)
    assert versions(store) == list(VERSIONS[-left:])


def test_what_only_they_needed_goes_and_what_others_need_stays(store: Store) -> None:
    wheels = {path.name for path in store.layout.path("wheels").iterdir()}
    prune(store, kits=KITS, keep=0)
    (record,) = store.records()
    left = {path.name for path in store.layout.path("wheels").iterdir()}
    assert left == {each.sha256 for each in record.wheels}
    assert len(wheels - left) == 3
    assert [path.name for path in store.layout.path("locks").iterdir()] == [record.plugin.lock_sha256]
    assert verify_environment(record.plugin.environment, store=store).accepted


def test_what_is_said_to_be_freed_is_what_the_disk_gets_back(store: Store) -> None:
    def used() -> int:
        seen = {}
        for path in (store.root, *store.root.rglob("*")):
            status = path.lstat()
            seen[status.st_ino] = status.st_blocks * 512
        return sum(seen.values())

    before = used()
    told = prune(store, kits=KITS, keep=0, dry_run=True)
    assert used() == before
    pruned = prune(store, kits=KITS, keep=0)
    assert (told.removed, told.others, told.freed_bytes) == (pruned.removed, pruned.others, pruned.freed_bytes)
    # Beyond it go the small lists about each environment.
    assert 0 < pruned.freed_bytes <= before - used() <= pruned.freed_bytes + 100_000


def test_a_dry_run_changes_nothing(store: Store) -> None:
    before = tree_of(store.root)
    assert len(prune(store, kits=KITS, keep=0, dry_run=True).removed) == 3
    assert tree_of(store.root) == before


def test_there_may_be_nothing_at_all(tmp_path: Path) -> None:
    assert prune(Store(tmp_path / "none"), kits=KITS).removed == ()
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_gone_back_to_is_not_kept_for_that(store: Store) -> None:
    """Its Python is gone: the one before it is what one would go back to."""
    before = plugin(store, "1.2.0")
    (before.environment / "bin/python").unlink()
    prune(store, kits=KITS)
    assert versions(store) == ["1.1.0", "1.3.0"]


def test_nobody_prunes_what_is_being_verified(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    examined, looked = plugin(store, "1.0.0"), []

    def examine(*_: object) -> object:
        looked.append([each.version for each in prune(store, kits=KITS, keep=0).in_use])
        raise StoreError("enough")

    monkeypatch.setattr(check, "_examine", examine)
    with pytest.raises(StoreError, match="enough"):
        verify_environment(examined.environment, store=store)
    assert looked == [["1.0.0"]]
    assert versions(store) == ["1.0.0", "1.3.0"]


# What stays


def pinned(store: Store) -> None:
    store.choose(NAME, lambda known: replace(known, pin=Pin(version="1.0.0", at=NOW, by="root", why="pin")))


def waiting(store: Store) -> None:
    awaited = Waiting(
        version="1.0.0", sha256=plugin(store, "1.0.0").sha256, since="1.3.0", added=Permissions(), seen_at=NOW
    )
    with store.layout.locked():
        write_consents(store.layout, NAME, Consents(waiting=awaited))


@pytest.mark.parametrize("why", [pinned, waiting])
def test_what_is_pinned_or_waits_stays(store: Store, why: Callable[[Store], None]) -> None:
    why(store)
    prune(store, kits=KITS, keep=0)
    assert versions(store) == ["1.0.0", "1.3.0"]


@pytest.mark.parametrize("kind", ["active", "consents", "choices"])
def test_where_a_record_of_needs_is_damaged_everything_stays(store: Store, kind: str) -> None:
    (store.layout.path(kind) / f"{NAME}.json").write_text("{")
    prune(store, kits=KITS, keep=0)
    assert versions(store) == list(VERSIONS)


def test_of_what_serves_no_more_everything_goes(store: Store) -> None:
    store.deactivate(NAME)
    prune(store, kits=KITS)
    assert versions(store) == []
    assert [*store.layout.path("wheels").iterdir(), *store.layout.path("locks").iterdir()] == []


def test_what_is_used_stays_until_it_is_not(store: Store) -> None:
    used = plugin(store, "1.0.0")
    with store.lease(used):
        pruned = prune(store, kits=KITS, keep=0)
        assert [each.version for each in pruned.in_use] == ["1.0.0"]
        assert versions(store) == ["1.0.0", "1.3.0"]
        assert verify_environment(used.environment, store=store).accepted
    assert [each.version for each in prune(store, kits=KITS, keep=0).removed] == ["1.0.0"]
    with pytest.raises(DamagedError, match="is gone"):
        store.lease(used)


def test_what_is_being_brought_up_stays(store: Store) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        with store.activating(NAME):
            os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    try:
        while not _busy(store):
            pass
        pruned = prune(store, kits=KITS, keep=0)
    finally:
        os.close(writer)
        os.waitpid(child, 0)
    assert len(pruned.in_use) == 3
    assert len(prune(store, kits=KITS, keep=0).removed) == 3


def _busy(store: Store) -> bool:
    return bool(prune(store, kits=KITS, keep=0, dry_run=True).in_use)


def test_kits_of_other_releases_go_unless_somebody_works_with_them(store: Store) -> None:
    kits = store.layout.path("kits")
    for name in ("ours", "old"):
        (kits / name).mkdir()
        (kits / f"{name}.contents").touch()
    pruned = prune(store, kits=frozenset({"ours"}))
    assert "kits/old" in pruned.others
    assert sorted(path.name for path in kits.iterdir()) == ["ours", "ours.contents"]


def test_an_environment_without_a_record_goes(store: Store) -> None:
    lost = plugin(store, "1.3.0")
    store.layout.record(lost.env_key).unlink()
    store.deactivate(NAME)
    assert lost.env_key in {each.env_key for each in prune(store, kits=KITS).removed}
    assert not lost.environment.exists()
    assert list(store.layout.path("installed").iterdir()) == []


def test_all_of_it_moves_with_the_state_directory(store: Store, tmp_path: Path) -> None:
    pinned(store)
    moved = Store(store.root.rename(tmp_path / "moved"))
    assert moved.choices(NAME) == Store(moved.root).choices(NAME)
    assert moved.choices(NAME).pin is not None
    with moved.lease(plugin(moved, "1.1.0")):
        pruned = prune(moved, kits=KITS, keep=0)
    assert [each.version for each in pruned.in_use] == ["1.1.0"]
    assert versions(moved) == ["1.0.0", "1.1.0", "1.3.0"]
    assert not store.root.exists()


def test_only_what_serves_stays_on_trial(store: Store) -> None:
    first, *others = (plugin(store, version).env_key for version in VERSIONS)
    assert not store.trials.holds(first), "nothing served before it"
    assert all(map(store.trials.holds, others))
    prune(store, kits=KITS)
    assert [store.trials.holds(each) for each in others] == [False, False, True]
    store.rollback(NAME)
    assert not any(map(store.trials.holds, others)), "what is gone back to has served, and what is left does not"


# Uninstalling


def test_uninstalled_is_gone_with_all_that_is_known_of_it(store: Store) -> None:
    pinned(store)
    store.layout.quarantine(NAME).write_text("{}")
    assert len(uninstall(store, NAME).removed) == 4
    left = {path for path, (kind, _) in tree_of(store.root).items() if kind != "directory"}
    assert left == {"layout.json", "store.lock", f"active/.{NAME}.lock"}


def test_uninstalled_while_it_runs_is_left_to_prune(store: Store) -> None:
    used = plugin(store, "1.3.0")
    with store.lease(used):
        assert [each.version for each in uninstall(store, NAME).in_use] == ["1.3.0"]
        assert store.find(NAME) is None
        assert verify_environment(used.environment, store=store).accepted
    assert [each.version for each in prune(store, kits=KITS).removed] == ["1.3.0"]


# Death


@pytest.mark.parametrize("work", [lambda store: prune(store, kits=KITS, keep=0), lambda store: uninstall(store, NAME)])
def test_a_kill_at_any_point_leaves_what_the_next_removes(
    filled: Path, tmp_path: Path, work: Callable[[Store], object]
) -> None:
    number, store = 0, Store(tmp_path / "none")

    def prepare() -> None:
        nonlocal number, store
        shutil.rmtree(store.root, ignore_errors=True)
        number += 1
        store = copied(filled, tmp_path / str(number))

    prepare()
    assert run_in_child(lambda: work(store)) == 0
    wanted, kills, halves = tree_of(store.root).keys(), 0, set()
    for _ in steps(lambda: work(store), prepare, every=stride(7)):
        kills += 1
        serves = store.find(NAME)
        if serves is not None:
            assert verify_environment(serves.environment, store=store).accepted
        for record in store.records():  # whatever counts is whole
            assert store.check_untouched(record.plugin) == ()
        halves.add(len(store.records()))
        work(store)
        assert tree_of(store.root).keys() == wanted
    assert kills > 10
    assert len(halves) > 2

"""Killed between any two file-system calls: readers see the old state or the new one, and the next run finishes."""

import multiprocessing
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from tuf.api.exceptions import RepositoryError

from assess_registry.config import Expiry
from assess_registry.errors import ConfigError
from assess_registry.keys import generate_key
from assess_registry.repository.ceremony import Changes, add_signature, export, propose, publish_root, sign_root
from assess_registry.repository.state import read_roots
from tests.support.kills import killed_before, steps, stride
from tests.support.repositories import Keys, Reader, Registry, make_registry

PAGE, CONTROL = "catalog/acme-demo.json", "control/publishers.json"


class Place:
    """A registry that is put back to how it was, and a reader who knows how it was."""

    def __init__(self, tmp_path: Path, registry: Registry) -> None:
        self.registry, self.tmp_path = registry, tmp_path
        self.image = tmp_path / "image"
        self.memory = tmp_path / "memory-image"
        Reader(registry.place, self.memory).read(PAGE)
        shutil.copytree(registry.place, self.image)

    def restore(self) -> None:
        shutil.rmtree(self.registry.place)
        shutil.copytree(self.image, self.registry.place)

    def seen(self, *paths: str) -> dict[str, bytes | None]:
        """By a reader who was here before, and by one who comes for the first time: the same."""
        known, new = self.tmp_path / "known", self.tmp_path / "new"
        for memory in (known, new):
            shutil.rmtree(memory, ignore_errors=True)
        shutil.copytree(self.memory, known)
        found = Reader(self.registry.place, known).read(*paths)
        assert Reader(self.registry.place, new).read(*paths) == found
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    registry = make_registry(tmp_path / "registry", bins=2)
    registry.commit({PAGE: b"old", CONTROL: b"old"})
    return Place(tmp_path, registry)


OLD: dict[str, bytes | None] = {PAGE: b"old", CONTROL: b"old"}
NEW: dict[str, bytes | None] = {PAGE: b"new", CONTROL: b"new"}


def test_a_killed_commit(place: Place) -> None:
    registry = place.registry
    found = []
    for _ in steps(lambda: registry.commit(NEW), place.restore, every=stride(2), evenly=True):
        found.append(place.seen(PAGE, CONTROL))
        assert found[-1] in (OLD, NEW)
        registry.commit(NEW)
        assert place.seen(PAGE, CONTROL) == NEW
        assert registry.repository.collect(0, now=datetime.now(UTC) + timedelta(seconds=5))
        assert not list(registry.place.rglob(".tmp-*"))
    assert len(found) > 12
    # One moment divides them, and both sides were seen.
    assert found == sorted(found, key=lambda one: one == NEW)
    assert OLD in found
    assert NEW in found


def test_a_commit_killed_again_and_again(place: Place) -> None:
    """Each attempt gets one call further than the one before, on top of what that left."""
    registry, step = place.registry, 1
    while killed_before(step, lambda: registry.commit(NEW)):
        assert place.seen(PAGE, CONTROL) in (OLD, NEW)
        step += 1
    assert place.seen(PAGE, CONTROL) == NEW


def test_a_killed_creation(tmp_path: Path) -> None:
    keys, home, now = Keys(), tmp_path / "registry", datetime.now(UTC)

    def create() -> None:
        make_registry(home, keys=keys, now=now, bins=2)

    killed = 0
    for step in steps(create, lambda: shutil.rmtree(home, ignore_errors=True), every=stride(3)):
        killed = step
        create()
        assert Reader(home, tmp_path / f"memory-{step}").read(PAGE) == {PAGE: None}
    assert killed > 20


def test_a_killed_collection(place: Place) -> None:
    registry = place.registry
    registry.commit(NEW)
    shutil.rmtree(place.image)
    shutil.copytree(registry.place, place.image)
    later = datetime.now(UTC) + timedelta(days=1)
    killed = 0
    for step in steps(lambda: registry.repository.collect(0, now=later), place.restore):
        killed = step
        assert place.seen(PAGE, CONTROL) == NEW
        registry.repository.collect(0, now=later)
        assert place.seen(PAGE, CONTROL) == NEW
        assert registry.repository.collect(0, now=later) == ()
    assert killed > 5


# ---- an exchange of every key that can be exchanged ------------------------------------------------------------------


def rotated(registry: Registry) -> tuple[Keys, Callable[[], object]]:
    """A fully signed root with new release and online keys waits; and what publishes it."""
    old = registry.keys
    new = old.but(root=(*old.root[1:], generate_key()), release=(generate_key(),), online=generate_key())
    changes = Changes(
        root_keys=tuple(key.public for key in new.root),
        release_keys=tuple(key.public for key in new.release),
        online_keys=(new.online.public,),
    )
    propose(registry.place, changes, now=registry.now, expiry=Expiry())
    for key in (old.root[1], old.root[2]):
        add_signature(registry.place, sign_root(export(registry.place), key))
    assert publish_root(registry.place).needs_refresh

    def publish() -> None:
        registry.refresh(online_keys=[old.online, new.online], release_keys=[*old.release, *new.release])

    return new, publish


def test_a_killed_exchange_of_keys(place: Place) -> None:
    registry = place.registry
    new, publish = rotated(registry)
    shutil.rmtree(place.image)
    shutil.copytree(registry.place, place.image)
    versions = set()
    for _ in steps(publish, place.restore, every=stride(4)):
        assert place.seen(PAGE, CONTROL) == OLD
        versions.add(len(read_roots(registry.place)))
        publish()
        assert len(read_roots(registry.place)) == 2
        registry.commit(NEW, release_keys=new.release, online_key=new.online)
        assert place.seen(PAGE, CONTROL) == NEW
        with pytest.raises(ConfigError):
            registry.commit(OLD)
    assert versions == {1, 2}


def test_a_killed_exchange_of_lost_keys(place: Place) -> None:
    """Nobody can sign for the old root: between two writes readers are refused, and never shown anything else."""
    registry = place.registry
    new, _ = rotated(registry)
    shutil.rmtree(place.image)
    shutil.copytree(registry.place, place.image)

    def publish() -> None:
        registry.refresh(online_keys=[new.online], release_keys=new.release)

    refused = 0
    for _ in steps(publish, place.restore, every=stride(4), evenly=True):
        try:
            seen = place.seen(PAGE, CONTROL)
        except RepositoryError:
            refused += 1
        else:
            assert seen == OLD
        publish()
        assert place.seen(PAGE, CONTROL) == OLD
    assert 1 <= refused <= 8


def test_a_killed_publication_of_a_root(place: Place) -> None:
    """The same keys for another year: no refresh is needed, and a kill leaves nothing that blocks a commit."""
    registry = place.registry
    propose(registry.place, Changes(), now=registry.now, expiry=Expiry())
    for key in registry.keys.root[:2]:
        add_signature(registry.place, sign_root(export(registry.place), key))
    shutil.rmtree(place.image)
    shutil.copytree(registry.place, place.image)
    versions = set()
    for _ in steps(lambda: publish_root(registry.place), place.restore):
        assert place.seen(PAGE, CONTROL) == OLD
        versions.add(len(read_roots(registry.place)))
        registry.commit(NEW)
        assert place.seen(PAGE, CONTROL) == NEW
    assert versions == {1, 2}


# ---- all the while ---------------------------------------------------------------------------------------------------


def _read_on(reader: Reader, started: Event, done: Event, result: "multiprocessing.SimpleQueue[object]") -> None:
    seen = []
    try:
        while True:
            last = done.is_set()
            found = reader.read(PAGE, CONTROL)
            assert found[PAGE] == found[CONTROL]
            seen.append(int(found[PAGE] or b"-1"))
            started.set()
            if last:
                break
        result.put(seen)
    except BaseException as error:
        result.put(repr(error))
        started.set()
        raise


def test_a_reader_all_the_while_never_sees_an_error_nor_the_past(tmp_path: Path) -> None:
    registry = make_registry(tmp_path / "registry", bins=2)
    registry.commit({PAGE: b"0", CONTROL: b"0"})
    context = multiprocessing.get_context("fork")
    started, done, result = context.Event(), context.Event(), context.SimpleQueue()
    child = context.Process(target=_read_on, args=(Reader(registry.place, tmp_path / "memory"), started, done, result))
    child.start()
    assert started.wait(60)
    for number in range(1, 61):
        registry.commit({PAGE: str(number).encode(), CONTROL: str(number).encode()})
    done.set()
    seen = result.get()
    child.join(60)
    assert isinstance(seen, list), seen
    assert seen == sorted(seen)
    assert seen[-1] == 60
    assert len(set(seen)) > 2

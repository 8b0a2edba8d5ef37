"""What somebody has a lease on stays; what nobody has one on can be taken away, and never half."""

import os
import signal
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.store import DamagedError, InstalledPlugin, Store, leases
from assess_core.store.leases import claim, take
from assess_registry.client import Registry
from tests.support.installing import DemoRegistry, install_here
from tests.support.registry_tree import make_registry_tree


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, InstalledPlugin]:
    """A store with one plugin of one module."""
    directory = tmp_path_factory.mktemp("leases")
    tree = make_registry_tree(directory / "registry")
    store = Store(directory / "state")
    return store, install_here(DemoRegistry(tree=tree, registry=Registry(tree.config())).verified(), store)


def free(store: Store, installed: InstalledPlugin) -> bool:
    lease = claim(store.layout.lease(installed.env_key))
    if lease is not None:
        lease.release()
    return lease is not None


def test_many_may_have_a_lease_and_nobody_the_whole_meanwhile(place: tuple[Store, InstalledPlugin]) -> None:
    store, installed = place
    with store.lease(installed) as first:
        with store.lease(installed):
            assert not free(store, installed)
        assert not free(store, installed)
        first.release()
        assert free(store, installed)
    assert free(store, installed)


def test_a_dead_process_has_no_lease(place: tuple[Store, InstalledPlugin]) -> None:
    store, installed = place
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with store.lease(installed):
            os.write(writer, b"x")
            signal.pause()
    try:
        assert os.read(reader, 1) == b"x"
        held = not free(store, installed)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
    assert held
    assert free(store, installed)


def test_a_lease_that_nobody_holds_any_more_is_let_go(place: tuple[Store, InstalledPlugin]) -> None:
    store, installed = place
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    store.lease(installed)
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert free(store, installed)


def test_what_is_gone_cannot_be_leased(place: tuple[Store, InstalledPlugin], tmp_path: Path) -> None:
    store, installed = place
    record = store.layout.record(installed.env_key)
    record.rename(tmp_path / "record")
    with pytest.raises(DamagedError, match="is gone: it was pruned or uninstalled meanwhile; run `assess sync`"):
        store.lease(installed)
    assert free(store, installed)
    (tmp_path / "record").rename(record)
    store.lease(installed).release()


def test_a_file_that_was_removed_and_made_again_is_not_mistaken_for_the_old_one(tmp_path: Path) -> None:
    path, looked = tmp_path / "lease", []

    def present() -> bool:
        looked.append(path.stat().st_ino)
        return True

    old = claim(path)
    assert old is not None
    child = os.fork()
    if child == 0:  # waits for the old one, and gets the new one
        lease = take(path, present)
        assert lease is not None
        os._exit(0 if looked == [path.stat().st_ino] and claim(path) is None else 1)
    path.unlink()
    path.touch()
    old.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_who_removes_and_does_not_come_to_an_end_is_told_of(
    place: tuple[Store, InstalledPlugin], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, installed = place
    monkeypatch.setattr(leases, "LEASE_TIMEOUT_S", 0.0)
    alone = claim(store.layout.lease(installed.env_key))
    assert alone is not None
    with alone, pytest.raises(StoreError, match="see whether an `assess` process hangs or was stopped") as told:
        store.lease(installed)
    assert f"is locked by process {os.getpid()} of uid {os.geteuid()}, " in str(told.value)
    store.lease(installed).release()

"""A journal whose file gives its room back: all in it stays, whoever kills it and however full the disk is."""

import itertools
import random
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from assess_core.errors import NoRoomError, StoreError
from assess_core.journal import Journal
from tests.support.chains import TABLES, Site
from tests.support.kills import steps
from tests.support.mounts import fill, in_mounts, may_mount, mount_tmpfs


def filled(directory: Path) -> Site:
    """A journal of which most was removed."""
    site = Site(directory)
    with site.open() as journal:
        for number in range(12):
            site.record(journal, evidence=random.Random(number).randbytes(100 << 10))
            site.now += timedelta(days=1)
        journal.retain(keep_days=3, now=site.now)
    return site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return filled(tmp_path / "state")


def rows(site: Site) -> list[list[object]]:
    with site.hands() as connection:
        return [connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES]


def test_what_is_in_it_stays_and_the_rest_goes(site: Site) -> None:
    before, size = rows(site), site.path.stat().st_size
    with site.open() as journal:
        done = journal.compact()
        assert (done.before, done.after) == (size, site.path.stat().st_size)
        assert done.after < size / 2
        assert journal.problems() == ()
        again = journal.compact()
        assert again.before == again.after == done.after
        site.record(journal)
    assert site.verify().troubles == ()
    assert rows(site)[0][:-1] == before[0]


def test_it_may_be_killed_anywhere(site: Site, tmp_path: Path) -> None:
    before, numbers, here = rows(site), itertools.count(), site.directory

    def prepare() -> None:
        site.directory = tmp_path / f"copy{next(numbers)}"
        shutil.copytree(here, site.directory)

    def work() -> None:
        with Journal.open(site.path) as journal:
            journal.compact()

    for _ in steps(work, prepare):
        assert rows(site) == before
        assert site.verify().troubles == ()


def test_others_read_meanwhile_and_nobody_writes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assess_core.journal.database.BUSY_TIMEOUT_S", 0.05)  # for so long the log is not cut
    with site.open() as journal, Journal.open(site.path) as reader:
        reader._connection.execute("BEGIN")
        newest = reader.runs(1)
        journal.compact()
        assert reader.runs(1) == newest
        reader._connection.execute("COMMIT")
    assert site.verify().troubles == ()


@pytest.fixture
def busy(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setattr("assess_core.journal.database.BUSY_TIMEOUT_S", 0.05)
    with site.open() as journal:
        yield journal


def test_it_waits_for_who_writes_and_then_gives_up(site: Site, busy: Journal) -> None:
    with site.hands() as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process was writing"):
            busy.compact()
    done = busy.compact()
    assert done.after < done.before
    assert site.verify().troubles == ()


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
@pytest.mark.parametrize("looks", [True, False])
def test_without_room_it_is_as_it_was(tmp_path: Path, looks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not looks:
        monkeypatch.setattr("assess_core.journal.compacting._require_room", lambda *_: None)

    def work() -> None:
        root = tmp_path / "full"
        mount_tmpfs(root, kib=8192)
        site = filled(root / "state")
        before, size = rows(site), site.path.stat().st_size
        with site.open() as journal:
            filling = fill(root, leave=100 << 10)
            with pytest.raises(NoRoomError):
                journal.compact()
            assert rows(site) == before
            filling.unlink()
            assert journal.compact().after < size
        assert rows(site) == before
        assert site.verify().troubles == ()

    assert in_mounts(work) == 0

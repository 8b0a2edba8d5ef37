"""Copies of a journal while others write to it: each is whole, as the journal was at one moment, and one file."""

import itertools
import os
import signal
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assess_core.errors import StoreError
from assess_core.journal import Journal, JournalDamagedError
from assess_core.journal.database import snapshot
from tests.integration.test_journal import _recorder
from tests.support.kills import steps
from tests.support.mounts import fill, in_mounts, may_mount, mount_tmpfs
from tests.support.results import make_assessment, make_result

ROWS = (
    "SELECT position, run_id, document, counts FROM runs ORDER BY position",
    "SELECT position, run_id, document FROM results ORDER BY position",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as opened:
        yield opened


@pytest.fixture
def target(tmp_path: Path) -> Path:
    directory = tmp_path / "backups"
    directory.mkdir()
    return directory / "journal.db"


def recorded(journal: Journal, *names: str) -> None:
    for name in names:
        journal.record(make_assessment(assessment=name), [make_result(assessment=name)], {})


def rows(path: Path) -> list[list[Any]]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return [connection.execute(statement).fetchall() for statement in ROWS]
    finally:
        connection.close()


def test_a_copy_is_one_file_of_its_owner_and_a_journal(journal: Journal, target: Path) -> None:
    recorded(journal, "a", "b")
    mask = os.umask(0)
    try:
        made = journal.back_up(target)
    finally:
        os.umask(mask)
    assert (made.path, made.size, made.runs, made.results) == (target, target.stat().st_size, 2, 2)
    assert [each.name for each in target.parent.iterdir()] == ["journal.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with Journal.open(target) as copy:
        assert copy.runs() == journal.runs()
        assert copy.problems() == ()
        recorded(copy, "c")
        assert copy._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        with Journal.open(target) as reader:
            assert len(reader.runs()) == 3


def test_beside_a_process_that_writes_a_copy_is_a_prefix(path: Path, target: Path) -> None:
    Journal.open(path).close()
    copies = []
    with _recorder(path, "forever", "a") as child, Journal.open(path) as journal:
        assert child.stdout is not None
        for n in range(6):
            for _ in range(3):
                child.stdout.readline()
            copies.append(target.with_name(f"{n}.db"))
            journal.back_up(copies[-1])
        child.send_signal(signal.SIGKILL)
    runs, results = rows(path)
    sizes = []
    for copy in copies:
        copied_runs, copied_results = rows(copy)
        assert copied_runs == runs[: len(copied_runs)]
        assert copied_results == results[: len(copied_results)]
        assert len(copied_results) == 50 * len(copied_runs)
        sizes.append(len(copied_runs))
    assert sizes == sorted(set(sizes))
    assert sizes[0] >= 3


def test_writers_do_not_wait_for_a_copy(journal: Journal, target: Path, path: Path) -> None:
    """What is copied is what was there when it began, although more is committed before it ends."""
    recorded(journal, "a")
    with snapshot(path) as source:
        recorded(journal, "b")
        copy = sqlite3.connect(target)
        source.backup(copy, pages=-1)
        copy.close()
    assert [len(each) for each in rows(target)] == [1, 1]
    assert [len(each) for each in rows(path)] == [2, 2]


def test_a_newer_copy_replaces_an_older_one(journal: Journal, target: Path) -> None:
    recorded(journal, "a")
    journal.back_up(target)
    recorded(journal, "b")
    assert journal.back_up(target).runs == 2


def test_a_copy_put_beside_the_log_of_another_is_refused_until_that_is_away(
    journal: Journal, path: Path, target: Path
) -> None:
    """SQLite would write the pages of the one into the other, and quick_check would be the first to notice."""
    recorded(journal, *(f"a{n}" for n in range(20)))
    journal.back_up(target)
    recorded(journal, *(f"b{n}" for n in range(20)))
    log = path.with_name("journal.db-wal").read_bytes()
    journal.close()
    path.write_bytes(target.read_bytes())
    path.with_name("journal.db-wal").write_bytes(log)
    with pytest.raises(JournalDamagedError, match=r"Move away journal\.db-wal and journal\.db-shm, too"):
        Journal.open(path)
    assert path.read_bytes() == target.read_bytes()
    path.with_name("journal.db-wal").unlink()
    with Journal.open(path) as again:
        assert len(again.runs()) == 20
        assert again.problems() == ()
        recorded(again, "c")
    with Journal.open(path) as again:
        assert len(again.runs()) == 21


@pytest.mark.parametrize("there", [b"", b"somebody's letters", b"SQLite format 3\0" + bytes(200)])
def test_nothing_else_is_replaced(journal: Journal, target: Path, there: bytes) -> None:
    target.write_bytes(there)
    with pytest.raises(StoreError, match="is not replaced"):
        journal.back_up(target)
    assert target.read_bytes() == there


def test_the_journal_itself_is_no_target(journal: Journal, path: Path, tmp_path: Path) -> None:
    recorded(journal, "a")
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "hard").hardlink_to(path)
    for name in (
        path,
        path.with_name("journal.db-wal"),
        path.parent / ".." / "state" / "journal.db",
        tmp_path / "link",
        tmp_path / "hard",
    ):
        with pytest.raises(StoreError, match="the journal itself"):
            journal.back_up(name)
    assert len(journal.runs()) == 1


def test_where_it_cannot_be_written_it_is_said(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no copy"):
        journal.back_up(tmp_path / "nowhere" / "journal.db")
    with pytest.raises(StoreError, match="no copy"):
        journal.back_up(tmp_path)


def test_of_a_damaged_journal_there_is_no_copy_and_the_old_one_stays(
    journal: Journal, path: Path, target: Path
) -> None:
    recorded(journal, *(f"a{n}" for n in range(100)))
    journal.back_up(target)
    journal.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096 * 8)
    before = target.read_bytes()
    with Journal.open(path) as again, pytest.raises(JournalDamagedError, match="it is damaged"):
        again.back_up(target)
    assert target.read_bytes() == before
    assert [each.name for each in target.parent.iterdir()] == ["journal.db"]


def test_killed_at_any_point_the_older_copy_is_whole(path: Path, tmp_path: Path) -> None:
    numbers = itertools.count()
    target = tmp_path
    with Journal.open(path) as journal:
        recorded(journal, "a", "b")

    def prepare() -> None:
        nonlocal target
        target = tmp_path / str(next(numbers)) / "journal.db"
        target.parent.mkdir()
        with Journal.open(target) as older:
            recorded(older, "old")

    def work() -> None:
        with Journal.open(path) as journal:
            journal.back_up(target)

    seen = set()
    for _ in steps(work, prepare):
        runs, results = rows(target)
        assert len(runs) == len(results)
        seen.add(len(runs))
    assert seen == {1, 2}


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_without_room_for_it_nothing_is_left_there(path: Path, tmp_path: Path) -> None:
    def work() -> None:
        root = tmp_path / "small"
        mount_tmpfs(root, kib=1024)
        with Journal.open(path) as journal:
            recorded(journal, *(f"a{n}" for n in range(60)))
            filling = fill(root, leave=100 << 10)
            with pytest.raises(StoreError, match="no room for it there"):
                journal.back_up(root / "journal.db")
            assert list(root.iterdir()) == [filling]
            filling.unlink()
            assert journal.back_up(root / "journal.db").runs == 60

    assert in_mounts(work) == 0

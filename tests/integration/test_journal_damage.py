"""Damage of every kind: it is noticed, nothing of what it may hold is lost by us, and what is said helps."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.journal import Journal, JournalDamagedError
from assess_core.journal.health import CHECKED_EACH_US, begun, checked, ended, say_readable
from tests.support.results import make_assessment, make_result, run_of

PAGE = 4096
RUNS = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with some runs, closed in an orderly way: one file."""
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        for n in range(RUNS):
            results = [make_result(assessment=f"a{n}", check=f"check-{k}", reason="x" * 3000) for k in range(10)]
            journal.record(make_assessment(assessment=f"a{n}"), results, {})
    return path


def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def root_page(path: Path, name: str) -> int:
    """Offset of the first page of a table or an index."""
    connection = sqlite3.connect(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    connection.close()
    return (int(page) - 1) * PAGE


def a_table(path: Path) -> None:
    overwrite(path, root_page(path, "results"), noise(PAGE))


def an_index(path: Path) -> None:
    overwrite(path, root_page(path, "results_by_run"), noise(PAGE))


def the_tables_list(path: Path) -> None:
    overwrite(path, 100, noise(PAGE - 100))


def the_header(path: Path) -> None:
    overwrite(path, 0, noise(100))


def its_end(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def its_middle(path: Path) -> None:
    overwrite(path, path.stat().st_size // 2 // PAGE * PAGE, noise(8 * PAGE))


def used(path: Path) -> None:
    """Everything that commands do with a journal."""
    with Journal.open(path) as journal:
        journal.require_sound()
        for run in journal.runs(limit=100):
            journal.results(run.run_id)
        journal.record(make_assessment(assessment="new"), [make_result(assessment="new")], {})


KINDS: tuple[Callable[[Path], None], ...] = (a_table, an_index, the_tables_list, the_header, its_end, its_middle)


def test_what_is_not_damaged_is_sound(path: Path) -> None:
    used(path)
    assert say_readable(path) == "Can be read: all 21 of runs; all 201 of results; all 0 of evidence; all 0 of chain"


@pytest.mark.parametrize("damage", KINDS, ids=lambda kind: kind.__name__)
def test_damage_is_noticed_explained_and_left_alone(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    before = path.read_bytes()
    with pytest.raises(JournalDamagedError) as caught:
        used(path)
    said = str(caught.value)
    assert str(path) in said
    assert "damaged" in said
    assert "`assess results backup`" in said
    assert ".recover`" in said
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir() if each.suffix == ".db") == ["journal.db"]


def test_what_can_still_be_read_is_said(path: Path) -> None:
    its_middle(path)
    with Journal.open(path) as journal, pytest.raises(JournalDamagedError) as caught:
        journal.require_sound()
    assert "all 20 of runs" in str(caught.value)
    assert "of results the first " in str(caught.value)
    assert len(str(caught.value)) < 1500
    the_header(path)
    assert say_readable(path) == "Nothing of it can be read"


def test_noise_in_the_log_loses_nothing_that_was_committed(path: Path) -> None:
    path.with_name("journal.db-wal").write_bytes(noise(50_000))
    with Journal.open(path) as journal:
        journal.require_sound()
        assert len(journal.runs(limit=100)) == RUNS


def test_a_byte_of_text_is_noticed_by_nobody_here(path: Path) -> None:
    """SQLite has no checksums: that a document is what was written is vouched for by the chain alone."""
    data = path.read_bytes()
    overwrite(path, data.rindex(b"xxxx"), b"yyyy")
    with Journal.open(path) as journal:
        journal.require_sound()
        assert "yyyy" in "".join(result.reason for n in range(RUNS) for result in journal.results(run_of(f"a{n}")))


@pytest.fixture
def notes() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID")
    yield connection
    connection.close()


def test_it_is_read_as_a_whole_when_there_is_reason_to(notes: sqlite3.Connection) -> None:
    week = CHECKED_EACH_US
    assert "never" in begun(notes, at_us=10 * week)
    checked(notes, at_us=10 * week)
    assert "not stopped" in begun(notes, at_us=10 * week + 1)
    ended(notes)
    assert begun(notes, at_us=10 * week + 2) == ""
    ended(notes)
    assert begun(notes, at_us=11 * week - 1) == ""
    ended(notes)
    assert "for a week" in begun(notes, at_us=11 * week)
    ended(notes)
    assert "for a week" in begun(notes, at_us=9 * week)  # the clock was set back: nobody knows


def test_a_service_that_was_killed_is_known_to_the_next(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.serve()
        journal.require_sound()
        journal.served()
    with Journal.open(path) as journal:
        assert journal.serve() == ""
    with Journal.open(path) as journal:
        assert "not stopped" in journal.serve()
    with Journal.open(path) as journal:
        journal.record(make_assessment(assessment="beside"), [], {})  # `run` beside `up` changes nothing about it
        assert "not stopped" in journal.serve()


def test_a_file_that_is_none_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()
    with pytest.raises(StoreError):
        Journal.open(tmp_path / "journal.db")
    assert say_readable(tmp_path / "journal.db") == "Nothing of it can be read"

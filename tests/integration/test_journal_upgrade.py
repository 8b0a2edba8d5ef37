"""A journal of an older layout is brought to today's, once, whoever is killed in the middle; nothing in it is lost."""

import contextlib
import itertools
import json
import lzma
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assess_core.errors import StoreError
from assess_core.journal import MIGRATIONS, Journal, NoRoomError
from assess_core.journal.documents import microseconds
from assess_core.results import ResultOutcome, Run
from assess_registry.client import file_lock
from tests.support.kills import steps
from tests.support.mounts import fill, in_mounts, may_mount, mount_tmpfs

OLD = Path(__file__).parents[1] / "vendor/journal-layout-1/journal.db.xz"
KEPT = (
    "SELECT position, run_id, assessment, document FROM runs ORDER BY position",
    "SELECT position, result_id, run_id, document FROM results ORDER BY position",
    "SELECT sha256, media_type, data FROM evidence ORDER BY sha256",
)
"""All that a journal of layout 1 holds."""


def unpacked(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "journal.db"
    path.write_bytes(lzma.decompress(OLD.read_bytes()))
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A journal as the last release left it that wrote layout 1."""
    return unpacked(tmp_path / "state")


def asked(path: Path, *statements: str) -> list[list[Any]]:
    """The rows, read without a line of ours."""
    connection = sqlite3.connect(path)
    try:
        return [connection.execute(statement).fetchall() for statement in statements]
    finally:
        connection.close()


def layout(path: Path) -> int:
    return int(asked(path, "PRAGMA user_version")[0][0][0])


@pytest.fixture
def upgraded(old: Path) -> Iterator[Journal]:
    with Journal.open(old) as journal:
        yield journal


def test_it_is_of_the_older_layout(old: Path) -> None:
    assert layout(old) == 1
    runs, results, evidence = asked(old, *KEPT)
    assert (len(runs), len(results), len(evidence)) == (24, 161, 6)


def test_nothing_is_lost_and_no_byte_of_a_document_changes(old: Path) -> None:
    before = asked(old, *KEPT)
    Journal.open(old).close()
    assert layout(old) == len(MIGRATIONS)
    assert asked(old, *KEPT) == before


def test_the_tables_are_those_of_a_new_journal(old: Path, tmp_path: Path) -> None:
    Journal.open(old).close()
    Journal.open(tmp_path / "new.db").close()
    schema = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    mine, theirs = (asked(path, schema)[0] for path in (old, tmp_path / "new.db"))
    assert [(*row[:2], row[2].split()) for row in mine] == [(*row[:2], row[2].split()) for row in theirs]


def test_what_is_known_of_a_run_is_what_recording_it_would_have_noted(upgraded: Journal, tmp_path: Path) -> None:
    columns = "SELECT run_id, due_us, ended_us, complete, counts, attempt FROM runs ORDER BY position"
    uses = "SELECT sha256, run_id FROM evidence_uses ORDER BY sha256, run_id"
    kept = "SELECT sha256, size, stored FROM evidence_kept WHERE sha256 IN (SELECT sha256 FROM evidence_uses)"
    complete = []
    with Journal.open(tmp_path / "new.db") as new:
        for run in reversed(upgraded.runs(limit=1000)):
            results = upgraded.results(run.run_id)
            digests = {item.sha256 for result in results for item in result.evidence}
            evidence = {digest: upgraded.evidence(digest) for digest in digests}
            new.record(run, results, {digest: found for digest, found in evidence.items() if found})
            alone = Run(
                runtime="", started_at=run.started_at, ended_at=run.ended_at, assessments=(run,), results=results
            )
            complete.append(not alone.shortcomings())
        assert set(complete) == {True, False}
        for statement in (columns, uses, kept):
            mine, theirs = (each._connection.execute(statement).fetchall() for each in (upgraded, new))
            found = [[sorted(json.loads(v).items()) if v[:1] == "{" else v for v in map(str, row)] for row in mine]
            noted = [[sorted(json.loads(v).items()) if v[:1] == "{" else v for v in map(str, row)] for row in theirs]
            assert found == noted
            assert found
    assert [bool(row[3]) for row in upgraded._connection.execute(columns)] == complete


def test_findings_are_those_that_the_results_tell_of(upgraded: Journal) -> None:
    expected: dict[str, list[Any]] = {}
    for run in reversed(upgraded.runs(limit=1000)):
        at = microseconds(run.started_at)
        for result in upgraded.results(run.run_id):
            finding = expected.get(result.finding_id)
            if result.outcome is ResultOutcome.FAIL:
                first, since = (finding[0], finding[1] or at) if finding else (at, at)
                expected[result.finding_id] = [first, since, at, at, run.run_id]
            elif finding and result.outcome in (ResultOutcome.PASS, ResultOutcome.NOT_APPLICABLE):
                expected[result.finding_id] = [finding[0], None, finding[2], at, finding[4]]
    statement = "SELECT finding_id, first_us, since_us, last_us, judged_us, run_id FROM findings"
    assert {row[0]: list(row[1:]) for row in upgraded._connection.execute(statement)} == expected
    assert len(expected) == 3


def test_all_evidence_is_counted_and_what_nobody_refers_to_is_known(upgraded: Journal) -> None:
    ask = upgraded._connection.execute
    assert ask("SELECT value FROM meta WHERE key = 'evidence_bytes'").fetchone() == (131,)
    assert ask("SELECT sum(length(data)) FROM evidence").fetchone() == (131,)
    orphans = "SELECT data FROM evidence WHERE sha256 NOT IN (SELECT sha256 FROM evidence_uses)"
    assert ask(orphans).fetchall() == [(b"of nobody",)]


def test_a_kill_before_any_statement_leaves_it_to_the_next(tmp_path: Path) -> None:
    numbers = itertools.count(1)
    path = tmp_path

    def prepare() -> None:
        nonlocal path
        path = unpacked(tmp_path / str(next(numbers)))

    before = asked(unpacked(tmp_path / "0"), *KEPT)
    layouts = set()
    for _ in steps(lambda: Journal.open(path).close(), prepare):
        layouts.add(layout(path))
        assert asked(path, *KEPT) == before
        with Journal.open(path) as journal:
            assert journal.problems() == ()
            assert len(journal.runs(limit=100)) == 24
        assert asked(path, *KEPT) == before
    assert layouts == {1, len(MIGRATIONS)}


def test_whoever_opens_it_meanwhile_waits_and_finds_it_done(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assess_core.journal.database.BUSY_TIMEOUT_S", 0.01)
    found: list[int] = []

    def reader() -> None:
        with Journal.open(old) as journal:
            found.append(len(journal.runs(limit=100)))

    readers = [threading.Thread(target=reader) for _ in range(3)]
    with file_lock(old.with_name("journal.db.lock"), timeout_s=0):
        for thread in readers:
            thread.start()
        readers[0].join(0.3)  # much longer than others' transactions are waited for
        assert found == []
    for thread in readers:
        thread.join(60)
    assert found == [24] * 3


def test_a_new_file_is_not_waited_for_as_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assess_core.journal.database.BUSY_TIMEOUT_S", 0.01)
    with file_lock(tmp_path / "journal.db.lock", timeout_s=0), pytest.raises(StoreError, match=r"journal\.db\.lock"):
        Journal.open(tmp_path / "journal.db")


def test_a_row_that_cannot_be_read_holds_nothing_up(old: Path) -> None:
    connection = sqlite3.connect(old)
    with connection:
        connection.execute("UPDATE results SET document = x'ff' WHERE position = 3")
        connection.execute("UPDATE runs SET document = x'7b7d' WHERE position = 2")
    connection.close()
    with Journal.open(old) as journal:
        rows = journal._connection.execute("SELECT complete, counts FROM runs ORDER BY position").fetchall()
        assert rows[:2] == [(0, "{}"), (0, "{}")]
        assert rows[2][0] == 1
        with pytest.raises(StoreError, match="a row cannot be read"):
            journal.runs(limit=100)


def test_one_that_takes_long_says_how_far_it_is(
    old: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("assess_core.journal.migrations.SAY_EVERY_S", 0.0)
    Journal.open(old).close()
    said = [record.getMessage() for record in caplog.records if getattr(record, "action", "") == "journal-migrating"]
    assert len(said) == 24
    assert "12 of 24 runs" in said[11]


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_without_room_it_stays_as_it_is(tmp_path: Path) -> None:
    def work() -> None:
        root = tmp_path / "full"
        mount_tmpfs(root, kib=2048)
        path = unpacked(root / "state")
        before = asked(path, *KEPT)
        outcomes = set()
        for pages in (0, 1, 8, 20, 40, 80, 160, 300):
            filling = fill(root, leave=pages * 4096)
            with contextlib.suppress(NoRoomError):
                Journal.open(path).close()
            filling.unlink()
            outcomes.add(layout(path))
            assert asked(path, *KEPT) == before
        assert outcomes == {1, len(MIGRATIONS)}

    assert in_mounts(work) == 0

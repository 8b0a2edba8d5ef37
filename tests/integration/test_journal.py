"""The journal on a real disk, with real processes that are killed, compete, or run out of room."""

import hashlib
import json
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.journal import MIGRATIONS, AlreadyRecordedError, Journal, OvertakenError, say_readable
from assess_core.results import AssessmentRun, EvidenceRef, Result, ResultOutcome
from tests.support.results import HOSTILE, NOON, WAIVER, make_assessment, make_result, run_of

RECORDER = "tests.integration.programs.journal_recorder"
DATA = b"kernel.kptr_restrict = 0\n"
DIGEST = hashlib.sha256(DATA).hexdigest()
EVIDENCE = {DIGEST: ("text/plain", DATA)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as opened:
        yield opened


def batch(name: str = "host", size: int = 3) -> tuple[AssessmentRun, list[Result]]:
    """A run and its results; the first has evidence."""
    taken = (EvidenceRef(name="sysctl", sha256=DIGEST, media_type="text/plain", size=len(DATA)),)
    results = [make_result(assessment=name, check=f"check-{n}", evidence=taken if n == 0 else ()) for n in range(size)]
    return make_assessment(assessment=name), results


def test_what_was_recorded_comes_back_exactly(journal: Journal, path: Path) -> None:
    run, results = batch()
    run = make_assessment(problem=f"odd: {HOSTILE}", plugin=None, due_at=NOON + timedelta(microseconds=1))
    run = replace(run, attempt=2, why="again")
    odd = make_result(
        check="check-9",
        outcome=ResultOutcome.TIMEOUT,
        reason=HOSTILE,
        expected=None,
        actual="\ud800\udc00 two surrogates are not one character",
        provenance=({"run": ["sshd", "-T"], "nested": {"a": [1, 2.5, None, True]}},),
        controls=(),
        relaxed=("runtime.run_plugins_without_isolation = true",),
        stale=True,
        attempts=3,
        earlier=(HOSTILE, "it took too long"),
    )
    results.append(make_result(check="check-8", outcome=ResultOutcome.FAIL, waiver=replace(WAIVER, reason=HOSTILE)))
    assert journal.record(run, [*results, odd], EVIDENCE) == 5
    with Journal.open(path) as again:
        assert again.runs() == (run,)
        assert again.results(run.run_id) == (*results, odd)
        assert again.evidence(DIGEST) == ("text/plain", DATA)
        assert again.latest() == {"host": run}
        assert again.evidence("0" * 64) is None
        assert again.results("no such run") == ()


def test_recording_again_changes_nothing(journal: Journal) -> None:
    run, results = batch()
    assert journal.record(run, results, EVIDENCE) == 3
    assert journal.record(run, results, {}) == 0
    for other in (
        (run, [*results, make_result(check="check-new")]),
        (run, results[:2]),
        (make_assessment(subjects=2), results),
    ):
        with pytest.raises(AlreadyRecordedError, match="is in the journal already"):
            journal.record(*other, EVIDENCE)
    assert journal.runs() == (run,)
    assert journal.results(run.run_id) == tuple(results)


def test_what_does_not_hold_any_more_when_its_turn_comes_is_not_recorded(journal: Journal) -> None:
    run, results = batch()
    with pytest.raises(OvertakenError):
        journal.record(run, results, EVIDENCE, holds=lambda: False)
    assert journal.runs() == ()
    assert journal.evidence(DIGEST) is None
    assert journal.record(run, results, EVIDENCE, holds=lambda: True) == 3


def test_closed_while_somebody_records_it_waits_for_that_and_takes_no_more(path: Path) -> None:
    run, results = batch()
    journal = Journal.open(path)
    inside, on = threading.Event(), threading.Event()

    def holds() -> bool:
        inside.set()
        return on.wait(60)

    recording = threading.Thread(target=partial(journal.record, run, results, EVIDENCE, holds=holds))
    recording.start()
    assert inside.wait(60)
    closing = threading.Thread(target=journal.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    on.set()
    for each in (recording, closing):
        each.join(60)
        assert not each.is_alive()
    with pytest.raises(StoreError, match="closed"):
        journal.record(*batch("second"), EVIDENCE)
    with pytest.raises(StoreError, match="closed"):
        journal.runs()
    journal.close()
    with Journal.open(path) as again:
        assert again.runs() == (run,)


def test_runs_come_newest_first_and_the_latest_of_each_assessment_is_known(journal: Journal) -> None:
    runs = [make_assessment(assessment=name, run_id=f"{name}-{n}") for n in range(3) for name in ("a", "b")]
    for run in runs:
        journal.record(run, [], {})
    assert journal.runs() == tuple(reversed(runs))
    assert journal.runs(limit=2) == (runs[5], runs[4])
    assert journal.latest() == {"a": runs[4], "b": runs[5]}


def test_a_record_that_is_not_whole_is_refused(journal: Journal) -> None:
    run, results = batch()
    with pytest.raises(ValueError, match="which was not handed over"):
        journal.record(run, results, {})
    with pytest.raises(ValueError, match="has other bytes"):
        journal.record(run, results, {DIGEST: ("text/plain", DATA + b"!")})
    with pytest.raises(ValueError, match="belongs to run"):
        journal.record(run, [*results, make_result(assessment="other")], EVIDENCE)
    assert journal.runs() == ()
    assert journal.record(run, results, EVIDENCE) == 3


def test_the_files_are_the_owners_alone(journal: Journal, path: Path) -> None:
    journal.record(*batch(), EVIDENCE)
    files = sorted(file.name for file in path.parent.iterdir())
    assert files == ["journal.db", "journal.db-shm", "journal.db-wal", "journal.db.lock"]
    modes = {name: stat.S_IMODE((path.parent / name).stat().st_mode) for name in files[:3]}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_may_read_is_closed_to_them(path: Path) -> None:
    Journal.open(path).close()
    path.chmod(0o644)
    Journal.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_is_explained_and_leaves_nothing_half_written(journal: Journal) -> None:
    first, results = batch()
    journal.record(first, results, EVIDENCE)
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    run, many = batch("another", size=500)
    with pytest.raises(StoreError, match="no room left"):
        journal.record(run, many, EVIDENCE)
    assert journal.runs() == (first,)
    assert journal.results(run.run_id) == ()
    journal._connection.execute("PRAGMA max_page_count = 100000")
    assert journal.record(run, many, EVIDENCE) == 500


def _recorder(path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", RECORDER, str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_killed_in_the_middle_of_a_transaction_leaves_the_one_before(path: Path) -> None:
    with _recorder(path, "stop-inside") as child:
        assert child.stdout is not None
        said = [child.stdout.readline().strip() for _ in range(2)]
        child.send_signal(signal.SIGKILL)
    assert said == [f"recorded {run_of('first')}", "inside"]
    with Journal.open(path) as journal:
        assert [run.assessment for run in journal.runs()] == ["first"]
        assert len(journal.results(run_of("first"))) == 50
        assert journal.results(run_of("second")) == ()
        assert journal._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert journal.record(*batch("second"), EVIDENCE) == 3


def test_killed_at_any_moment_loses_nothing_that_counted(path: Path) -> None:
    with _recorder(path, "forever", "a") as child:
        assert child.stdout is not None
        counted = [child.stdout.readline().split()[1] for _ in range(5)]
        child.send_signal(signal.SIGKILL)
        counted += [line.split()[1] for line in child.stdout.read().splitlines() if len(line.split()) == 2]
    with Journal.open(path) as journal:
        recorded = {run.run_id for run in journal.runs(limit=100_000)}
        assert set(counted) <= recorded
        assert {len(journal.results(run)) for run in recorded} == {50}


def test_two_processes_write_at_once_and_lose_nothing(path: Path) -> None:
    children = [_recorder(path, "count", name) for name in ("a", "b")]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [child.communicate(timeout=60)[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    with Journal.open(path) as journal:
        assert {run.run_id for run in journal.runs(limit=1000)} == {word for words in said for word in words[1::2]}
        assert len(journal.runs(limit=1000)) == 40
        assert all(len(journal.results(run.run_id)) == 50 for run in journal.runs(limit=1000))


OPEN_AND_CLOSE = """
import sys
from pathlib import Path
from assess_core.journal import Journal
Journal.open(Path(sys.argv[1])).close()
"""


def test_what_this_process_does_beside_a_connection_leaves_it_its_locks(journal: Journal, path: Path) -> None:
    """Closing any descriptor of a file gives back all locks of a process; another one would then remove the log."""
    journal.record(*batch("a"), EVIDENCE)
    Journal.open(path).close()
    journal.writer().keep(EVIDENCE).result(30)
    journal.back_up(path.with_name("copy.db"))
    with pytest.raises(StoreError):
        journal.back_up(path)
    assert journal.problems() == ()
    say_readable(path)
    log = path.with_name("journal.db-wal")
    before = log.stat().st_ino
    subprocess.run([sys.executable, "-c", OPEN_AND_CLOSE, path], check=True)
    assert log.stat().st_ino == before
    journal.record(*batch("b"), EVIDENCE)
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as other:
        assert other.execute("SELECT count(*) FROM runs").fetchone() == (2,)
    other.close()


def test_threads_may_share_one_journal(journal: Journal) -> None:
    threads = [threading.Thread(target=journal.record, args=(*batch(f"t{n}", size=20), EVIDENCE)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {len(journal.results(run.run_id)) for run in journal.runs()} == {20}
    assert len(journal.runs()) == 8


def test_a_writer_that_waits_too_long_says_for_what(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assess_core.journal.database.BUSY_TIMEOUT_S", 0.01)
    with Journal.open(path) as one, Journal.open(path) as two:
        one._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process was writing"):
            two.record(*batch(), EVIDENCE)
        assert two.runs() == ()  # readers do not wait
        one._connection.execute("ROLLBACK")
        assert two.record(*batch(), EVIDENCE) == 3


def test_results_of_before_there_was_isolation_are_read_as_what_they_were(journal: Journal, path: Path) -> None:
    run, results = batch(size=1)
    journal.record(run, results, EVIDENCE)
    with sqlite3.connect(path) as connection:
        (text,) = connection.execute("SELECT document FROM results").fetchone()
        document = json.loads(text)
        del document["landlock_abi"], document["relaxed"], document["cpu_ms"], document["memory_mib"]
        del document["attempts"], document["earlier"]
        document["isolation"] = "none"
        connection.execute("UPDATE results SET document = ?", (json.dumps(document).encode(),))
        (text,) = connection.execute("SELECT document FROM runs").fetchone()
        document = json.loads(text)
        del document["attempt"], document["why"]
        connection.execute("UPDATE runs SET document = ?", (json.dumps(document).encode(),))
    connection.close()
    (read,) = journal.results(run.run_id)
    assert (read.isolation, read.landlock_abi, read.relaxed) == ("none", 0, ())
    assert (read.cpu_ms, read.memory_mib) == (None, None)
    assert (read.waiver, read.attempts, read.earlier) == (None, 1, ())
    assert journal.runs() == (run,)
    assert read.check == results[0].check


def _refusal(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        Journal.open(path)
    return str(caught.value)


def test_a_newer_layout_is_refused_and_left_alone(path: Path) -> None:
    Journal.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = path.read_bytes()
    assert f"its layout is {len(MIGRATIONS) + 1}, this assess knows up to {len(MIGRATIONS)}" in _refusal(path)
    assert path.read_bytes() == before


def test_foreign_and_damaged_files_are_explained(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = other.read_bytes()
    assert "a database of some other program" in _refusal(other)
    assert other.read_bytes() == before
    text = tmp_path / "text.db"
    text.write_text("not a database, but long enough to be read as one" * 100)
    assert "it is not a journal; give another --state-dir" in _refusal(text)
    assert "cannot be used" in _refusal(tmp_path / "text.db" / "journal.db")
    assert "it cannot be opened" in _refusal(tmp_path)


def test_a_damaged_page_is_explained(path: Path) -> None:
    run, results = batch(size=200)
    with Journal.open(path) as journal:
        journal.record(run, results, EVIDENCE)
    data = bytearray(path.read_bytes())
    half = len(data) // 2 // 4096 * 4096  # what the tables are stands before, and results after it
    data[half:] = b"\xff" * (len(data) - half)
    path.write_bytes(bytes(data))
    with Journal.open(path) as journal, pytest.raises(StoreError, match="it is damaged; keep it"):
        journal.results(run.run_id)


def test_altered_rows_are_noticed(journal: Journal) -> None:
    run, results = batch()
    journal.record(run, results, EVIDENCE)
    journal._connection.execute("UPDATE evidence SET data = x'00'")
    with pytest.raises(StoreError, match="was altered"):
        journal.evidence(DIGEST)
    document = json.dumps({"outcome": "pass"}).encode()
    journal._connection.execute("UPDATE results SET document = ?", (document,))
    with pytest.raises(StoreError, match="a row cannot be read"):
        journal.results(run.run_id)


def test_a_closed_journal_says_so(path: Path) -> None:
    journal = Journal.open(path)
    journal.close()
    with pytest.raises(StoreError, match="closed"):
        journal.runs()

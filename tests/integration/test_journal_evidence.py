"""Evidence on disk: stored once, small, within bounds, and never gone without a word."""

import hashlib
import random
import sqlite3
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.journal import EvidenceFullError, Journal, Signer
from assess_core.journal.evidence import ORPHANED_AFTER_US, expendable, orphans, remove, stored_bytes
from assess_core.journal.identity import Identity
from assess_core.results import Narrowed, run_id
from tests.support.results import NOON, make_assessment, make_result, with_evidence

KIB = 1 << 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as opened:
        yield opened


def piece(name: str, kib: int = 100) -> tuple[str, bytes]:
    """Digest and bytes that do not get smaller."""
    data = random.Random(name).randbytes(kib * KIB)
    return hashlib.sha256(data).hexdigest(), data


def run_with(
    journal: Journal,
    number: int,
    *names: str,
    assessment: str = "host",
    kib: int = 100,
    narrowed: Narrowed | None = None,
) -> str:
    """Record a run, later than those with smaller numbers, that refers to these; returns its id."""
    at = NOON + timedelta(hours=number)
    name = run_id("web-01", assessment, at)
    run = make_assessment(assessment=assessment, run_id=name, due_at=at, narrowed=narrowed)
    pieces = [piece(name, kib) for name in names]
    result = make_result(
        assessment=assessment, run_id=run.run_id, evidence=with_evidence(*(each[0] for each in pieces))
    )
    evidence = {digest: ("text/plain", data) for digest, data in pieces}
    journal.keep(evidence)
    journal.record(run, [result], {})
    return run.run_id


def kept(journal: Journal, run: str) -> list[bool]:
    (result,) = journal.results(run)
    there = [journal.evidence(item.sha256) is not None for item in result.evidence]
    assert there == [item.kept for item in result.evidence]
    return there


def bytes_of(journal: Journal) -> int:
    (stored,) = journal._connection.execute("SELECT coalesce(sum(length(data)), 0) FROM evidence").fetchone()
    assert stored_bytes(journal._connection) == stored
    return int(stored)


@pytest.mark.parametrize("data", [b"", b"a", b"kernel.kptr_restrict = 0\n" * 4000, random.Random(1).randbytes(5000)])
def test_what_was_kept_comes_back_and_takes_less_where_it_can(journal: Journal, data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()
    journal.keep({digest: ("text/plain", data)})
    assert journal.evidence(digest) == ("text/plain", data)
    assert bytes_of(journal) == len(data) or bytes_of(journal) * 10 < len(data)
    journal.keep({digest: ("text/plain", data)})
    assert journal._connection.execute("SELECT count(*) FROM evidence").fetchone() == (1,)


@pytest.mark.parametrize("how", ["data = x'00'", "data = zeroblob(1000)", "encoding = 'lz4'", "encoding = ''"])
def test_what_was_altered_is_never_handed_out(journal: Journal, how: str) -> None:
    data = b"kernel.kptr_restrict = 0\n" * 400
    digest = hashlib.sha256(data).hexdigest()
    journal.keep({digest: ("text/plain", data)})
    journal._connection.execute(f"UPDATE evidence SET {how}")
    with pytest.raises(StoreError, match="was altered"):
        journal.evidence(digest)


def test_a_bomb_is_not_inflated(journal: Journal) -> None:
    """Whoever can write the file cannot make us use more memory than what was noted."""
    data = b"kernel.kptr_restrict = 0\n" * 400
    digest = hashlib.sha256(data).hexdigest()
    journal.keep({digest: ("text/plain", data)})
    bomb = zlib.compress(bytes(200 << 20), 9)
    journal._connection.execute("UPDATE evidence SET data = ?", (bomb,))
    with pytest.raises(StoreError, match="was altered"):
        journal.evidence(digest)


def test_the_oldest_runs_make_room_and_the_newest_of_each_assessment_keep_theirs(journal: Journal) -> None:
    journal.limit_evidence(1000 * KIB)
    only = run_with(journal, 0, "only", assessment="monthly")
    runs = [run_with(journal, n, f"a{n}", "shared") for n in range(1, 20)]
    assert bytes_of(journal) <= 1000 * KIB
    assert kept(journal, only) == [True]  # the oldest of all, and the newest of its assessment
    assert kept(journal, runs[0]) == [False, True]  # what a newer run refers to, too, stays
    assert kept(journal, runs[-1]) == [True, True]
    there = [kept(journal, run)[0] for run in runs]
    assert there == sorted(there)
    assert 5 <= sum(there) <= 8


def test_a_narrowed_run_makes_nobody_forget_the_evidence_of_the_whole_one(journal: Journal) -> None:
    journal.limit_evidence(500 * KIB)
    alone = run_with(journal, 0, "alone", assessment="alone", narrowed=Narrowed(subjects=("a",)))
    older, whole = (run_with(journal, n, f"a{n}") for n in (1, 2))
    narrowed = [run_with(journal, n, f"a{n}", narrowed=Narrowed(checks=("c*",))) for n in range(3, 9)]
    assert [kept(journal, run) for run in (alone, older, whole, narrowed[-1])] == [[True], [False], [True], [True]]
    assert kept(journal, narrowed[0]) == [False]
    run_with(journal, 9, "a9")
    run_with(journal, 10, "a10")
    run_with(journal, 11, "a11")
    assert kept(journal, whole) == [False], "the control: a newer one is whole"


def test_what_went_is_known_with_its_reason_until_it_comes_again(journal: Journal) -> None:
    journal.limit_evidence(300 * KIB)
    runs = [run_with(journal, n, f"a{n}") for n in range(4)]
    assert kept(journal, runs[0]) == [False]
    rows = journal._connection.execute("SELECT sha256, size, why FROM evidence_gone ORDER BY at_us").fetchall()
    assert rows[0] == (piece("a0")[0], 100 * KIB, "quota")
    run_with(journal, 5, "a0")
    assert kept(journal, runs[0]) == [True]
    assert piece("a0")[0] not in [row[0] for row in journal._connection.execute("SELECT sha256 FROM evidence_gone")]


def test_too_much_at_once_is_refused_and_takes_nothing_else_with_it(journal: Journal) -> None:
    journal.limit_evidence(300 * KIB)
    runs = [run_with(journal, n, f"a{n}") for n in range(2)]
    digest, data = piece("large", 250)
    with pytest.raises(EvidenceFullError, match=r"results\.evidence_mib"):
        journal.keep({digest: ("text/plain", data)})
    assert [kept(journal, run) for run in runs] == [[True], [True]]
    with pytest.raises(EvidenceFullError):
        journal.writer().keep({digest: ("text/plain", data)}).result(30)
    journal.limit_evidence(None)
    journal.keep({digest: ("text/plain", data)})
    assert journal.evidence(digest) is not None


def test_evidence_of_a_run_that_goes_on_stays_and_that_of_a_killed_one_goes(journal: Journal, path: Path) -> None:
    digest, data = piece("in-flight")
    journal.keep({digest: ("text/plain", data)})
    run_with(journal, 0, "referred")
    connection = journal._connection
    (now,) = connection.execute("SELECT max(kept_us) FROM evidence_kept").fetchone()
    assert orphans(connection, at_us=now) == []
    assert expendable(connection, over_bytes=1, at_us=now) == ()
    later = now + ORPHANED_AFTER_US + 1
    assert [row[0] for row in orphans(connection, at_us=later)] == [digest]
    assert expendable(connection, over_bytes=1, at_us=later) == (digest,)
    assert remove(connection, [digest], why="orphan", at_us=later) == 100 * KIB
    assert journal.evidence(digest) is None
    assert connection.execute("SELECT sha256, why FROM evidence_gone").fetchall() == [(digest, "orphan")]


def test_kept_again_it_counts_as_kept_now(journal: Journal) -> None:
    digest, data = piece("often")
    journal.keep({digest: ("text/plain", data)})
    journal._connection.execute("UPDATE evidence_kept SET kept_us = kept_us - 7200000000")
    (before,) = journal._connection.execute("SELECT kept_us FROM evidence_kept").fetchone()
    journal.keep({digest: ("text/plain", data)})
    (after,) = journal._connection.execute("SELECT kept_us FROM evidence_kept").fetchone()
    assert after - before >= 7_200_000_000


def test_another_process_that_keeps_it_is_counted(journal: Journal, path: Path) -> None:
    with Journal.open(path) as other:
        other.keep({piece("a")[0]: ("text/plain", piece("a")[1])})
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT value FROM meta WHERE key = 'evidence_bytes'").fetchone() == (100 * KIB,)
    connection.close()
    assert bytes_of(journal) == 100 * KIB


def test_what_a_run_that_goes_on_handed_over_again_goes_last_and_never_costs_the_run(journal: Journal) -> None:
    """The same bytes are an old run's, which may go, and a new one's, which is not recorded yet."""
    journal.limit_evidence(550 * KIB)
    runs = [run_with(journal, n, f"a{n}") for n in range(4)]
    journal._connection.execute("UPDATE evidence_kept SET kept_us = kept_us - 8000000000")
    again = {piece("a0")[0]: ("text/plain", piece("a0")[1])}
    journal.keep(again)
    run_with(journal, 5, "b5", "b6")
    assert [kept(journal, run) for run in runs] == [[True], [False], [True], [True]]
    journal.limit_evidence(350 * KIB)
    run_with(journal, 7, "b7")
    assert [kept(journal, run) for run in runs] == [[False]] * 4
    late = make_assessment(assessment="late", run_id="late")
    result = make_result(assessment="late", run_id="late", evidence=with_evidence(*again))
    assert journal.record(late, [result], {}) == 1
    assert kept(journal, "late") == [False]


def test_retention_leaves_what_a_run_that_goes_on_handed_over(tmp_path: Path) -> None:
    signer = Signer(Identity(tmp_path / "identity"), lambda: "web-01")
    with Journal.open(tmp_path / "signed.db", signer=signer) as journal:
        old = run_with(journal, 0, "a", "b")
        run_with(journal, 1)
        now = datetime.now(UTC)
        journal._connection.execute("UPDATE evidence_kept SET kept_us = kept_us - 3 * 86400000000")
        journal.keep({piece("a")[0]: ("text/plain", piece("a")[1])})
        journal._connection.execute("UPDATE runs SET ended_us = 0 WHERE run_id = ?", (old,))
        journal.retain(keep_days=1, now=now)
        assert journal.results(old) == ()
        assert journal.evidence(piece("b")[0]) is None
        assert journal.evidence(piece("a")[0]) is not None
        late = make_assessment(assessment="late", run_id="late")
        result = make_result(assessment="late", run_id="late", evidence=with_evidence(piece("a")[0]))
        assert journal.record(late, [result], {}) == 1
        assert kept(journal, "late") == [True]
        journal.retain(keep_days=1, now=now + timedelta(days=3))
        assert kept(journal, "late") == [True]


def test_a_clock_that_is_set_forward_costs_no_run(tmp_path: Path) -> None:
    signer = Signer(Identity(tmp_path / "identity"), lambda: "web-01")
    with Journal.open(tmp_path / "signed.db", signer=signer) as journal:
        digest, data = piece("in-flight")
        journal.keep({digest: ("text/plain", data)})
        journal.retain(keep_days=10, now=datetime.now(UTC) + timedelta(days=3))
        assert journal.evidence(digest) is None
        run = make_assessment()
        assert journal.record(run, [make_result(evidence=with_evidence(digest))], {}) == 1
        assert kept(journal, run.run_id) == [False]
        assert journal.verify().troubles == ()

"""Many records in one commit, on a real disk: each counts alone, whatever becomes of the others."""

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest

from assess_core.errors import StoreError
from assess_core.journal import (
    AlreadyRecordedError,
    BusyError,
    Connection,
    Journal,
    NoRoomError,
    OvertakenError,
    Signer,
    Writer,
)
from assess_core.journal.database import Database
from assess_core.journal.identity import Identity
from assess_core.journal.migrations import MIGRATIONS
from assess_core.journal.writer import GROUP, GROUP_BYTES
from assess_core.results import AssessmentRun, Result
from tests.support.mounts import fill, in_mounts, may_mount, mount_tmpfs
from tests.support.results import make_assessment, make_result, run_of, with_evidence

DATA = b"kernel.kptr_restrict = 0\n"
DIGEST = hashlib.sha256(DATA).hexdigest()
EVIDENCE = {DIGEST: ("text/plain", DATA)}

Batch = tuple[AssessmentRun, list[Result]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as opened:
        yield opened


def batch(name: str, size: int = 3, *, digest: str = "") -> Batch:
    evidence = with_evidence(digest) if digest else ()
    return make_assessment(assessment=name), [
        make_result(assessment=name, check=f"check-{n}", evidence=evidence) for n in range(size)
    ]


class Held:
    """A writer that is inside of a transaction until it is let go: what comes meanwhile goes into one commit."""

    def __init__(self, writer: Writer) -> None:
        self._inside, self._on = threading.Event(), threading.Event()
        self.first = writer.submit(self._work)
        assert self._inside.wait(60)

    def _work(self, _: Connection) -> None:
        self._inside.set()
        assert self._on.wait(60)

    def let_go(self, *futures: "Future[Any]") -> list[Any]:
        """What came of each: its value, or its error."""
        self._on.set()
        wait((self.first, *futures), timeout=60)
        assert self.first.done()
        return [future.exception() or future.result() for future in futures]


def test_a_record_is_on_disk_when_its_future_is_set(journal: Journal, path: Path) -> None:
    run, results = batch("host")
    told: list[int] = []

    def look(_: object) -> None:
        with Journal.open(path) as other:
            told.append(len(other.results(run.run_id)))

    recorded = journal.writer().record(run, results, {})
    recorded.add_done_callback(look)
    assert recorded.result(30) == 3
    journal.close()
    assert told == [3]


def test_what_waits_goes_into_few_transactions(journal: Journal) -> None:
    said: list[str] = []
    journal.writer()._database.connection.set_trace_callback(said.append)
    held = Held(journal.writer())
    names = [f"a{n}" for n in range(2 * GROUP)]
    recorded = [journal.writer().record(*batch(name), {}) for name in names]
    assert held.let_go(*recorded) == [3] * len(names)
    assert said.count("COMMIT") == 3
    assert [run.assessment for run in reversed(journal.runs(limit=1000))] == names


def test_large_pieces_do_not_wait_for_each_other(journal: Journal) -> None:
    said: list[str] = []
    journal.writer()._database.connection.set_trace_callback(said.append)
    held = Held(journal.writer())
    data = [random.Random(n).randbytes(GROUP_BYTES // 2) for n in range(4)]
    kept = [journal.writer().keep({hashlib.sha256(each).hexdigest(): ("text/plain", each)}) for each in data]
    held.let_go(*kept)
    assert said.count("COMMIT") == 3


def test_one_that_is_refused_does_not_take_the_others(journal: Journal) -> None:
    journal.record(*batch("old"), {})
    held = Held(journal.writer())
    writer = journal.writer()
    other, results = make_assessment(assessment="old", subjects=7), batch("old")[1]
    answers = held.let_go(
        writer.record(*batch("first"), {}),
        writer.record(other, results, {}),
        writer.record(*batch("no-evidence", digest=DIGEST), {}),
        writer.record(*batch("overtaken"), {}, holds=lambda: False),
        writer.record(*batch("wrong"), {DIGEST: ("text/plain", b"other")}),
        writer.keep(EVIDENCE),
        writer.record(*batch("evidence", digest=DIGEST), {}),
        writer.submit(lambda connection: connection.execute("INSERT INTO no_such_table VALUES (1)")),
        writer.record(*batch("last"), {}),
    )
    kinds = [value if isinstance(value, int) else type(value) for value in answers]
    none = type(None)
    assert kinds == [3, AlreadyRecordedError, ValueError, OvertakenError, ValueError, none, 3, StoreError, 3]
    assert sorted(journal.latest()) == ["evidence", "first", "last", "old"]
    assert journal.evidence(DIGEST) == ("text/plain", DATA)


def test_what_stops_to_hold_while_others_are_written_is_not_committed(journal: Journal) -> None:
    """It is asked again at the end of the transaction, and then whatever still holds is written alone."""
    asked: list[None] = []

    def holds() -> bool:
        asked.append(None)
        return len(asked) == 1

    held = Held(journal.writer())
    answers = held.let_go(
        journal.writer().record(*batch("a"), {}, holds=holds), journal.writer().record(*batch("b"), {})
    )
    assert type(answers[0]) is OvertakenError
    assert answers[1] == 3
    assert sorted(journal.latest()) == ["b"]
    assert len(asked) == 3


def test_what_was_given_up_before_its_turn_is_not_written(journal: Journal) -> None:
    held = Held(journal.writer())
    a, b = (journal.writer().record(*batch(name), {}) for name in "ab")
    assert a.cancel()
    held.let_go(b)
    assert sorted(journal.latest()) == ["b"]


def test_readers_of_the_same_process_do_not_wait(journal: Journal) -> None:
    journal.record(*batch("old"), {})
    held = Held(journal.writer())
    recorded = journal.writer().record(*batch("new"), {})
    assert sorted(journal.latest()) == ["old"]
    assert journal.writer().oldest_s > 0
    held.let_go(recorded)
    assert journal.writer().oldest_s == 0
    assert sorted(journal.latest()) == ["new", "old"]


def test_closed_it_writes_what_it_has_and_takes_no_more(path: Path) -> None:
    journal = Journal.open(path)
    writer = journal.writer()
    assert journal.writer() is writer
    recorded = [writer.record(*batch(f"a{n}"), {}) for n in range(200)]
    journal.close()
    assert [future.result(0) for future in recorded] == [3] * 200
    with pytest.raises(StoreError, match="takes nothing more"):
        writer.record(*batch("late"), {})
    with Journal.open(path) as again:
        assert len(again.runs(limit=1000)) == 200


def test_two_writers_and_whoever_records_by_himself_lose_nothing(journal: Journal, path: Path) -> None:
    with Journal.open(path) as other:
        futures = [
            each.writer().record(*batch(f"{name}{n}"), {})
            for n in range(40)
            for name, each in (("a", journal), ("b", other))
        ]
        for n in range(10):
            assert journal.record(*batch(f"c{n}"), {}) == 3
        assert [future.result(60) for future in futures] == [3] * 80
    assert len(journal.runs(limit=1000)) == 90


def test_what_another_process_holds_up_waits_and_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assess_core.journal.database.BUSY_TIMEOUT_S", 0.01)
    with Journal.open(path) as journal:
        writer = Writer(Database.open(path, MIGRATIONS), again_s=(0.01,))
        journal._connection.execute("BEGIN IMMEDIATE")
        assert isinstance(writer.submit(lambda _: None).exception(30), BusyError)
        kept = writer.keep(EVIDENCE)
        recorded = writer.record(*batch("host"), {})
        assert isinstance(writer.submit(lambda _: None).exception(30), BusyError)
        assert not recorded.done()
        assert not kept.done()
        assert "another process was writing" in writer.trouble
        journal._connection.execute("ROLLBACK")
        assert recorded.result(30) == 3
        assert kept.result(30) is None
        assert journal.evidence(DIGEST) == ("text/plain", DATA)
        assert writer.close()
        assert writer.trouble == ""


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_a_full_disk_takes_what_fits_and_the_rest_when_there_is_room(tmp_path: Path) -> None:
    def work() -> None:
        root = tmp_path / "full"
        mount_tmpfs(root, kib=2048)
        with Journal.open(root / "journal.db") as journal:
            writer = Writer(Database.open(root / "journal.db", MIGRATIONS), again_s=(0.02,))
            held = Held(writer)
            filling = fill(root, leave=300 << 10)
            small = [writer.record(*batch(f"small{n}", 1), {}) for n in range(3)]
            large = writer.record(*batch("large", 600), {})
            last = writer.record(*batch("last", 1), {})
            data, huge = random.Random(7).randbytes(900_000), random.Random(8).randbytes(65 << 20)
            kept = writer.keep({hashlib.sha256(data).hexdigest(): ("text/plain", data)})
            beyond = writer.keep({hashlib.sha256(huge).hexdigest(): ("text/plain", huge)})
            assert held.let_go(*small, last) == [1] * 4
            assert isinstance(beyond.exception(30), NoRoomError)  # more than what may wait
            assert not large.done()
            assert not kept.done()
            assert "no room" in writer.trouble or "is full" in writer.trouble
            assert "large" not in journal.latest()
            assert journal.problems() == ()
            filling.unlink()
            assert large.result(30) == 600
            assert len(journal.results(run_of("large"))) == 600
            assert kept.result(30) is None
            assert journal.evidence(hashlib.sha256(data).hexdigest()) == ("text/plain", data)
            assert writer.trouble == ""
            assert writer.close()

    assert in_mounts(work) == 0


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_what_never_finds_room_fails_when_it_is_closed(tmp_path: Path) -> None:
    def work() -> None:
        root = tmp_path / "full"
        mount_tmpfs(root, kib=2048)
        with Journal.open(root / "journal.db") as journal:
            writer = journal.writer()
            fill(root, leave=0)
            recorded = writer.record(*batch("large", 600), {})
            assert writer.close(within_s=0.3)
            assert isinstance(recorded.exception(0), NoRoomError)
            assert journal.latest() == {}

    assert in_mounts(work) == 0


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_however_full_the_disk_is_nothing_that_is_signed_is_lost(tmp_path: Path) -> None:
    """The runtime's keys lie on the same disk, and are made with the first record."""

    def work() -> None:
        root = tmp_path / "full"
        mount_tmpfs(root, kib=6144)
        waited = 0
        for pages in (0, 1, 3, 8, 20, 40, 80):
            state = root / str(pages)
            state.mkdir()
            with Journal.open(
                state / "journal.db", signer=Signer(Identity(state / "identity"), lambda: "web-01")
            ) as journal:
                writer = journal.writer()
                writer._again_s = (0.01,)
                filling = fill(root, leave=pages * 4096)
                recorded = [writer.record(*batch(f"a{n}", 40), {}) for n in range(4)]
                wait(recorded, timeout=0.3)
                waited += sum(not future.done() for future in recorded)
                filling.unlink()
                assert [future.result(30) for future in recorded] == [40] * 4
                assert journal.verify().troubles == ()
        assert waited > 8

    assert in_mounts(work) == 0


def test_what_waits_is_bounded_and_what_is_beyond_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assess_core.journal.database.BUSY_TIMEOUT_S", 0.01)
    monkeypatch.setattr("assess_core.journal.writer.WAITING_BYTES", 20_000)
    with Journal.open(path) as journal:
        writer = Writer(Database.open(path, MIGRATIONS), again_s=(0.01,))
        journal._connection.execute("BEGIN IMMEDIATE")
        futures = [writer.record(*batch(f"a{n}"), {}) for n in range(6)]  # 6,000 bytes each, about
        assert [type(future.exception(30)) for future in futures[3:]] == [BusyError] * 3
        assert not any(future.done() for future in futures[:3])
        journal._connection.execute("ROLLBACK")
        assert [future.result(30) for future in futures[:3]] == [3] * 3
        assert writer.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_leaves_nobody_waiting(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, all_there = journal.writer(), threading.Event()

    def fault(_: object) -> None:
        assert all_there.wait(60)
        raise RuntimeError("a bug")

    monkeypatch.setattr(writer, "_write", fault)
    held = [writer.record(*batch(f"a{n}"), {}) for n in range(3)]
    all_there.set()
    for future in held:
        with pytest.raises(StoreError, match="its writer has ended"):
            future.result(30)
    with pytest.raises(StoreError, match="takes nothing more"):
        writer.keep(EVIDENCE)
    assert writer.close()

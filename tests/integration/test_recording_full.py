"""A disk that is full, or a journal that is busy, while a run hands over evidence: nothing that was found is lost."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from assess_core.assessing.execute import execute
from assess_core.assessing.recording import Directly, Recorder, Together
from assess_core.assessing.values import Executed, Hosts
from assess_core.host import CallReport
from assess_core.host.call import Call
from assess_core.host.messages import Evidence as PieceMessage
from assess_core.host.messages import Executed as ExecutedMessage
from assess_core.host.messages import Taken
from assess_core.journal import BusyError, Journal
from assess_core.results import ResultOutcome
from assess_plugin import CheckResult, Outcome
from assess_plugin.models import ActionInput, Evidence
from tests.support.mounts import fill, in_mounts, may_mount, mount_tmpfs
from tests.support.scripted import DISTRIBUTION, HELD, NOW, Found, Scripted, scripted_context, scripted_task, spec

NAMES = tuple(f"host:{number:02}" for number in range(12))
PIECE = 200_000


def seen_on(name: str) -> bytes:
    """What was read there, which does not compress."""
    return random.Random(name).randbytes(PIECE)


@dataclass(kw_only=True)
class Handing(Scripted):
    """Every check fails, and shows why."""

    async def execute(self, name: str, input: ActionInput, **_: Any) -> CallReport:
        """One failure, with a piece of evidence."""
        await asyncio.sleep(0)
        call = Call(1, reply=ExecutedMessage, checks=input.checks, now=NOW)
        data = seen_on(input.subject.id)
        piece = PieceMessage(call=1, id=1, check="a", name="seen", media_type="text/plain", data=data, more=False)
        assert isinstance(call.request(piece), Taken)
        shown = (Evidence(name="seen", media_type="text/plain"),)
        result = CheckResult(check_id="a", outcome=Outcome.FAIL, reason="open", evidence=shown)
        call.add(ExecutedMessage(call=1, results=[result], more=False))
        return call.call_report(1, held=HELD)


async def run(recorder: Recorder, meanwhile: Callable[[], Coroutine[Any, Any, None]]) -> Executed:
    """An assessment of all subjects, recorded; while it goes on, something happens."""
    hosts = cast(Hosts, {DISTRIBUTION: Handing(found=(Found(subjects=NAMES),), said={})})

    async def assess() -> Executed:
        task = scripted_task((spec("a"),))
        done = await execute(task, hosts=hosts, context=scripted_context(), due_at=NOW, keep=recorder.keep)
        await recorder.record(done, lambda: True)
        return done

    async with asyncio.timeout(60):
        done: Executed = (await asyncio.gather(assess(), meanwhile()))[0]
    return done


def require_all(journal: Journal, done: Executed) -> None:
    """Everything that was found is in the journal, with what shows it."""
    assert {result.subject.id for result in done.results} == set(NAMES)
    assert {result.outcome for result in done.results} == {ResultOutcome.FAIL}
    assert len(journal.results(done.run.run_id)) == len(NAMES)
    for result in done.results:
        [piece] = result.evidence
        assert journal.evidence(piece.sha256) == ("text/plain", seen_on(result.subject.id))
    assert journal.problems() == ()


@contextmanager
def nearly_full(root: Path, *, leave: int) -> Iterator[tuple[Journal, Path]]:
    """A journal on a disk of its own with so many bytes left, and the file whose end makes room."""
    mount_tmpfs(root, kib=16 << 10)
    with Journal.open(root / "journal.db") as journal:
        yield journal, fill(root, leave=leave)


async def _nothing() -> None:
    return


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_with_a_full_disk_all_that_was_found_waits_and_is_written(tmp_path: Path) -> None:
    def work() -> None:
        with nearly_full(tmp_path / "small", leave=300 << 10) as (journal, filling):
            writer = journal.writer()
            writer._again_s = (0.02,)

            async def room() -> None:
                while not writer.trouble:
                    await asyncio.sleep(0.01)
                assert journal.runs() == ()
                filling.unlink()

            require_all(journal, asyncio.run(run(Together(writer), room)))
            assert writer.close()
        with Journal.open(tmp_path / "small" / "control.db") as journal:
            require_all(journal, asyncio.run(run(Together(journal.writer()), _nothing)))

    assert in_mounts(work) == 0


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_beyond_what_may_wait_a_call_is_an_error_and_the_run_is_recorded_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assess_core.journal.writer.WAITING_BYTES", 5 * PIECE)

    def work() -> None:
        with nearly_full(tmp_path / "small", leave=100 << 10) as (journal, filling):
            writer = journal.writer()
            writer._again_s = (0.02,)

            async def room() -> None:
                while sum(job.size for job in writer._waiting) < 5 * PIECE or writer._queue:
                    await asyncio.sleep(0.01)
                filling.unlink()

            done = asyncio.run(run(Together(writer), room))
            outcomes = [result.outcome for result in done.results]
            assert outcomes.count(ResultOutcome.ERROR) >= 1
            assert outcomes.count(ResultOutcome.FAIL) >= 5
            assert set(outcomes) == {ResultOutcome.ERROR, ResultOutcome.FAIL}
            said = {result.reason for result in done.results if result.outcome is ResultOutcome.ERROR}
            assert all("the evidence of this call was not kept" in reason for reason in said)
            assert len(journal.results(done.run.run_id)) == len(NAMES)
            assert writer.close()

    assert in_mounts(work) == 0


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
def test_who_assesses_once_records_what_found_no_room_with_its_run(tmp_path: Path) -> None:
    def work() -> None:
        with nearly_full(tmp_path / "small", leave=300 << 10) as (journal, filling):
            recorder = Directly(journal)

            async def room() -> None:
                while not recorder._waiting:
                    await asyncio.sleep(0.001)
                filling.unlink()

            require_all(journal, asyncio.run(run(recorder, room)))
            assert not recorder._waiting

    assert in_mounts(work) == 0


def test_who_assesses_once_waits_in_memory_for_a_journal_that_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assess_core.journal.database.BUSY_TIMEOUT_S", 0.01)
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal, Journal.open(path) as other:
        recorder = Directly(journal)
        other._connection.execute("BEGIN IMMEDIATE")

        async def evidence(name: str) -> None:
            data = seen_on(name)
            await recorder.keep({hashlib.sha256(data).hexdigest(): ("text/plain", data)})

        for name in NAMES:
            asyncio.run(evidence(name))
        monkeypatch.setattr("assess_core.assessing.recording.WAITING_BYTES", PIECE * len(NAMES))
        with pytest.raises(BusyError):
            asyncio.run(evidence("one more than may wait"))
        other._connection.execute("ROLLBACK")
        done = asyncio.run(run(recorder, _nothing))
        require_all(journal, done)
        assert not recorder._waiting

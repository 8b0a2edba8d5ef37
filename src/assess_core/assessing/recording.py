"""How what was found gets into the journal: by whoever found it, or by the one who writes for many.

Both are done when it is on disk, and both leave the loop alone meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from assess_core.assessing.values import Executed
from assess_core.journal import WAITING_BYTES, BusyError, Evidence, Journal, NoRoomError, Writer


class Recorder(Protocol):
    """Where an assessment's results and evidence go."""

    async def keep(self, evidence: Evidence) -> None:
        """The evidence is on disk.

        Raises:
            StoreError: it could not be done.
        """

    async def record(self, executed: Executed, holds: Callable[[], bool]) -> None:
        """The run and all its results are on disk, each exactly once, and it is not due any more.

        Raises:
            OvertakenError: when the journal's turn came they did not hold any more (`Journal.record`).
            AlreadyRecordedError: it has another run of this id, because the clock was set back, or because somebody
                else began it at the same microsecond.
            StoreError: the journal could not take them (no room, no right); none of them is there then.
        """


class Directly:
    """A commit for each, in a thread: for a process that assesses once.

    Evidence that finds no room, or a journal that is busy, waits in memory for the run that refers to it, and is
    written with that: perhaps there is room then, and if not, nothing of the run is there.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: dict[str, tuple[str, bytes]] = {}

    async def keep(self, evidence: Evidence) -> None:
        """As `Recorder`."""
        try:
            await asyncio.to_thread(self._journal.keep, evidence)
        except (NoRoomError, BusyError):
            if sum(len(data) for _, data in (*self._waiting.values(), *evidence.values())) > WAITING_BYTES:
                raise
            self._waiting.update(evidence)

    async def record(self, executed: Executed, holds: Callable[[], bool]) -> None:
        """As `Recorder`."""
        wanted = {reference.sha256 for result in executed.results for reference in result.evidence}
        evidence = {digest: self._waiting[digest] for digest in wanted & self._waiting.keys()}
        await asyncio.to_thread(self._journal.record, executed.run, executed.results, evidence, holds=holds)
        for digest in evidence:
            self._waiting.pop(digest, None)


class Together:
    """Through the journal's writer, many in one commit: for a process that goes on.

    A disk that is full is waited for, until the writer is closed.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def keep(self, evidence: Evidence) -> None:
        """As `Recorder`."""
        await asyncio.wrap_future(self._writer.keep(evidence))

    async def record(self, executed: Executed, holds: Callable[[], bool]) -> None:
        """As `Recorder`."""
        await asyncio.wrap_future(self._writer.record(executed.run, executed.results, {}, holds=holds))

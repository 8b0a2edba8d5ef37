"""A journal as tests of schedules look at it: the same names as `MemoryStore`, and everything asked of the disk."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from assess_core.errors import StoreError
from assess_core.journal import Journal
from assess_core.schedule import Asked, Claim, Cursor, Due, Kept, Row, Skip
from tests.support.played_scheduler import KilledError
from tests.support.results import make_assessment

ALL = 1_000_000


class MortalJournal:
    """A real one, in whose process everything may end as soon as a claim is written."""

    def __init__(self, path: Path) -> None:
        self._journal = Journal.open(path)
        self._schedules = self._journal.schedules()
        self.full = False
        self.deadly = False

    def close(self) -> None:
        self._journal.close()

    def kept(self) -> Kept:
        return self._schedules.kept()

    def requests(self) -> tuple[Asked, ...]:
        return self._schedules.requests()

    def skips(self, assessment: str, limit: int) -> tuple[tuple[Skip, datetime], ...]:
        return self._schedules.skips(assessment, limit)

    def claim(self, claim: Claim) -> frozenset[str]:
        if self.full:
            raise StoreError("there is no room left on the disk; nothing of this was recorded")
        recorded = self._schedules.claim(claim)
        if self.deadly:
            self.deadly = False
            raise KilledError
        return recorded

    def record(self, due: Due) -> None:
        run = make_assessment(run_id=due.run_id, assessment=due.assessment, due_at=due.due_at)
        self._journal.record(run, (), {})

    def request(self, asked: Asked) -> Asked:
        return self._journal.ask([asked])[0]

    @property
    def cursors(self) -> Mapping[str, Cursor]:
        return {cursor.assessment: cursor for cursor in self.kept().cursors}

    @property
    def rows(self) -> Mapping[str, Row]:
        return {row.due.run_id: row for row in self.kept().rows}

    @property
    def asked(self) -> Mapping[str, Asked]:
        return {asked.run_id: asked for asked in self.requests()}

    @property
    def runs(self) -> Mapping[str, object]:
        return {run.run_id: run for run in self._journal.runs(ALL)}

    @property
    def told(self) -> list[tuple[Skip, datetime]]:
        return list(reversed(self.skips("host", ALL)))

"""A `ScheduleStore` in memory, for tests of what is built on one; held to the same contract as the journal's."""

from dataclasses import replace
from datetime import datetime

from assess_core.errors import StoreError
from assess_core.schedule import Asked, Claim, Cursor, Due, Kept, Row, Skip
from assess_core.schedule.store import shortened


class MemoryStore:
    """What a journal keeps of schedules. `runs` has the ids of recorded runs, with how many attempts they took."""

    def __init__(self) -> None:
        self.cursors: dict[str, Cursor] = {}
        self.rows: dict[str, Row] = {}
        self.told: list[tuple[Skip, datetime]] = []
        self.asked: dict[str, Asked] = {}
        self.runs: dict[str, Due] = {}
        self.claims = 0
        self.full = False
        """Whether there is room for nothing more."""
        self.damage: StoreError | None = None

    def kept(self) -> Kept:
        rows = sorted(self.rows.values(), key=lambda row: (row.due.due_at, row.due.run_id))
        return Kept(cursors=tuple(self.cursors.values()), rows=tuple(rows))

    def claim(self, claim: Claim) -> frozenset[str]:
        if self.damage is not None:
            raise self.damage
        if self.full:
            raise StoreError("there is no room left on the disk; nothing of this was recorded")
        self.claims += 1
        for name in claim.forgotten:
            self.cursors.pop(name, None)
        self.cursors |= {cursor.assessment: cursor for cursor in claim.cursors}
        for run_id in claim.dropped:
            self.rows.pop(run_id, None)
        known = frozenset(row.due.run_id for row in claim.rows if row.due.run_id in self.runs)
        for row in claim.rows:
            if row.due.run_id in known:
                self.rows.pop(row.due.run_id, None)
            else:
                self.rows[row.due.run_id] = replace(row, due=replace(row.due, problem=""))
        for cursor in claim.reopened:
            self.told = [
                (left, at)
                for skip, at in self.told
                if (left := skip if skip.assessment != cursor.assessment else shortened(skip, cursor.at)) is not None
            ]
        self.told += [(skip, claim.at) for skip in claim.skips]
        for run_id in claim.answered:
            self.asked.pop(run_id, None)
        return known

    def requests(self) -> tuple[Asked, ...]:
        return tuple(self.asked.values())

    def skips(self, assessment: str, limit: int) -> tuple[tuple[Skip, datetime], ...]:
        return tuple(told for told in reversed(self.told) if told[0].assessment == assessment)[:limit]

    def request(self, asked: Asked) -> Asked:
        """As another process asks, which has not seen what others ask at the same time."""
        self.asked[asked.run_id] = asked
        return asked

    def record(self, due: Due) -> None:
        """The run's own commit: recorded and not due any more, or neither."""
        assert due.run_id not in self.runs, f"recorded twice: {due}"
        self.runs[due.run_id] = due
        self.rows.pop(due.run_id, None)

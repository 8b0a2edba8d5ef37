"""A `ScheduleStore` that tells of damage: what is full or busy is tried again, and what is damaged is not."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from assess_core.journal import JournalDamagedError
from assess_core.schedule import Asked, Claim, Kept, ScheduleStore, Skip

Value = TypeVar("Value")


class Guarded:
    """Another store, and whoever has to know that it is damaged.

    Args:
        store: does it.
        damaged: told of it, in whatever thread that is; it is raised all the same.
    """

    def __init__(self, store: ScheduleStore, damaged: Callable[[JournalDamagedError], None]) -> None:
        self._store = store
        self._damaged = damaged

    def kept(self) -> Kept:
        """As `ScheduleStore`."""
        return self._told(self._store.kept)

    def claim(self, claim: Claim) -> frozenset[str]:
        """As `ScheduleStore`."""
        return self._told(lambda: self._store.claim(claim))

    def requests(self) -> tuple[Asked, ...]:
        """As `ScheduleStore`."""
        return self._told(self._store.requests)

    def skips(self, assessment: str, limit: int) -> tuple[tuple[Skip, datetime], ...]:
        """As `ScheduleStore`."""
        return self._told(lambda: self._store.skips(assessment, limit))

    def _told(self, work: Callable[[], Value]) -> Value:
        try:
            return work()
        except JournalDamagedError as error:
            self._damaged(error)
            raise

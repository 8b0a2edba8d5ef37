"""The journal keeps schedules as every `ScheduleStore` does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assess_core.journal import Journal
from assess_core.schedule import Asked, Due, ScheduleStore
from tests.support.results import make_assessment
from tests.support.schedule_contract import ScheduleStoreContract


class TestJournal(ScheduleStoreContract):
    @pytest.fixture(autouse=True)
    def _made(self, tmp_path: Path) -> Iterator[None]:
        with Journal.open(tmp_path / "journal.db") as self.journal:
            yield

    def store(self) -> ScheduleStore:
        return self.journal.schedules()

    def record(self, recorded: Due) -> None:
        run = make_assessment(run_id=recorded.run_id, assessment=recorded.assessment, due_at=recorded.due_at)
        self.journal.record(run, (), {})

    def ask(self, asked: Asked) -> None:
        self.journal.ask([asked])

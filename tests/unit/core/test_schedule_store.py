"""The store that tests of schedules use does what the journal's does."""

import pytest

from assess_core.schedule import Asked, Due, ScheduleStore
from tests.support.schedule_contract import ScheduleStoreContract
from tests.support.schedule_store import MemoryStore


class TestMemoryStore(ScheduleStoreContract):
    @pytest.fixture(autouse=True)
    def _made(self) -> None:
        self.memory = MemoryStore()

    def store(self) -> ScheduleStore:
        return self.memory

    def record(self, recorded: Due) -> None:
        self.memory.record(recorded)

    def ask(self, asked: Asked) -> None:
        self.memory.request(asked)

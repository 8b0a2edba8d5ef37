"""Whoever goes on must know that the journal is damaged; that it is full is no reason to end."""

from datetime import UTC, datetime

import pytest

from assess_core.errors import StoreError
from assess_core.journal import JournalDamagedError
from assess_core.schedule import Claim, Kept
from assess_core.up.guarded import Guarded
from tests.support.schedule_store import MemoryStore

NOW = datetime(2027, 1, 1, tzinfo=UTC)


class Torn(MemoryStore):
    """Damaged in one place."""

    def claim(self, claim: Claim) -> frozenset[str]:
        raise JournalDamagedError("pages are not what was written there")


def test_damage_is_told_and_raised() -> None:
    told: list[JournalDamagedError] = []
    guarded = Guarded(Torn(), told.append)
    assert guarded.kept() == Kept()
    assert told == []
    with pytest.raises(JournalDamagedError, match="pages"):
        guarded.claim(Claim(at=NOW))
    assert len(told) == 1


def test_a_full_disk_is_raised_and_not_told() -> None:
    told: list[JournalDamagedError] = []
    store = MemoryStore()
    guarded = Guarded(store, told.append)
    assert guarded.claim(Claim(at=NOW)) == frozenset()
    store.full = True
    with pytest.raises(StoreError, match="no room"):
        guarded.claim(Claim(at=NOW))
    assert (told, guarded.requests(), guarded.skips("x", 3)) == ([], (), ())

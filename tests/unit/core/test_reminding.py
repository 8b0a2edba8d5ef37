"""Waivers that end are told once a day, and when that changes."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assess_core.config import Config, parse
from assess_core.up.reminding import Reminders

FILE = '[registry]\nurl = "file:index"\nroot = "1.root.json"\n'
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def config(**waivers: str) -> Config:
    text = "".join(
        f'[[waivers]]\ncheck = "{check}"\nsubject = "s"\nowner = "ops"\nreason = "r"\nexpires = {day}\n'
        for check, day in waivers.items()
    )
    return parse((FILE + text).encode(), Path("/etc/assess.toml"))


def test_each_that_ends_or_has_ended_is_told_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    now = [NOON]
    followed = [config(far="2027-03-31", soon="2026-12-01", over="2026-11-21")]
    reminders = Reminders(lambda: followed[0], clock=lambda: now[0])

    def told() -> list[tuple[str, str]]:
        caplog.clear()
        reminders.tell()
        return [(record.action, record.getMessage().split()[2]) for record in caplog.records]  # type: ignore[attr-defined]

    both = [("waiver-expiring", "soon"), ("waiver-expired", "over")]
    assert told() == both
    now[0] += timedelta(hours=1)
    assert told() == []
    followed[0] = config(far="2026-11-30", soon="2026-12-01", over="2026-11-21")
    assert told() == [("waiver-expiring", "far")]
    now[0] += timedelta(days=1)
    assert told() == [("waiver-expiring", "far"), *both]
    now[0] = datetime(2026, 12, 1, tzinfo=UTC)
    assert told() == [("waiver-expired", "far"), *both]
    followed[0] = config()
    assert told() == []


def test_it_looks_each_hour_and_says_nothing_before_there_is_a_configuration(caplog: pytest.LogCaptureFixture) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with caplog.at_level(logging.INFO), pytest.raises(asyncio.CancelledError):
        asyncio.run(Reminders(lambda: None, sleep=sleep).run())
    assert slept == [3600.0] * 3
    assert not caplog.records

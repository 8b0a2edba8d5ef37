"""How a run that takes long says so."""

import asyncio
import logging

import pytest

from assess_core.assessing.values import Reached
from assess_core.up.going import Going


def test_it_is_told_after_a_minute_and_ever_more_rarely(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]

    async def passed(seconds: float) -> None:
        now[0] += seconds
        if now[0] > 3 * 3600:
            raise asyncio.CancelledError

    going = Going(sleep=passed, clock=lambda: now[0])
    with caplog.at_level(logging.INFO), pytest.raises(asyncio.CancelledError):
        asyncio.run(going.tell())
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        f"goes on since {minutes} min" for minutes in (1, 5, 15, 60, 120, 180)
    ]


def test_it_says_how_far_it_is() -> None:
    going = Going()
    assert str(going) == "no subject is done yet"
    going("host", Reached(done=3, found=10, failing=2))
    assert str(going) == "3 of 10 subjects, 2 failing"

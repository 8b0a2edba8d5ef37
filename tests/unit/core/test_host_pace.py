"""One call does so much, and no faster than that."""

import asyncio

import pytest

from assess_core.host.pace import Pace
from assess_core.host.refusals import ImproperError


def test_beyond_the_most_it_is_refused() -> None:
    async def run() -> None:
        pace = Pace("connections", most=2)
        await pace.take()
        await pace.take()
        with pytest.raises(ImproperError, match="this call has had its 2 connections"):
            await pace.take()

    asyncio.run(run())


def test_after_the_first_they_come_at_a_rate() -> None:
    async def run(count: int) -> float:
        pace = Pace("connections", most=1000, per_s=100)
        started = asyncio.get_running_loop().time()
        for _ in range(count):
            await pace.take()
        return asyncio.get_running_loop().time() - started

    assert asyncio.run(run(100)) < 0.1, "as many at once"
    assert asyncio.run(run(130)) >= 0.29

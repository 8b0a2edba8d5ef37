"""What runs for months, as tests and benchmarks drive it: many plugins up, and assessments of them when they are due.

async with serving(path, state) as live:
    run = await live.assess({"fleet-07"}, due_at=due_at)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from assess_core.config import load
from assess_core.live.live import Live

STOP_S = 60.0


@asynccontextmanager
async def serving(path: Path, state: Path) -> AsyncIterator[Live]:
    """Every plugin that the configuration wants is up, and follows it.

    Raises:
        AssertionError: one is not.
    """
    live = Live(lambda: load(path), state)
    begun = await live.start()
    try:
        assert not begun.refused, begun.refused
        assert not begun.faults, begun.faults
        yield live
    finally:
        await live.stop(within_s=STOP_S)

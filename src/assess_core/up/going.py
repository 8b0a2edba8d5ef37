"""How far a run has come, for whoever waits for it.

going = Going()
telling = loop.create_task(going.tell())     # says so in the log after a minute, and ever more rarely
await live.assess({"host"}, notify=going)
telling.cancel()
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain, pairwise, repeat

from assess_core.assessing.values import Event, Reached

_log = logging.getLogger(__name__)

AFTER_S = (60.0, 300.0, 900.0, 3600.0)
"""After the start; from then on once an hour."""


class Going:
    """Hears what happens in one run.

    Args:
        sleep: takes seconds.
        clock: seconds that pass.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._since = clock()
        self._reached: Reached | None = None

    def __call__(self, _assessment: str, event: Event) -> None:
        """As `notify` of an assessment."""
        if isinstance(event, Reached):
            self._reached = event

    async def tell(self) -> None:
        """Until it is cancelled."""
        for pause_s in _pauses():
            await self._sleep(pause_s)
            minutes = round((self._clock() - self._since) / 60)
            _log.info("goes on since %d min: %s", minutes, self, extra={"action": "run-progress", "minutes": minutes})

    def __str__(self) -> str:
        return str(self._reached) if self._reached is not None else "no subject is done yet"


def _pauses() -> Iterator[float]:
    yield AFTER_S[0]
    yield from chain((after - before for before, after in pairwise(AFTER_S)), repeat(3600.0))

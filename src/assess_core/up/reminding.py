"""A service says of waivers that they end soon, or have ended: once when that is so, and each day from then on.

    reminders = Reminders(lambda: config)
    reminders.tell()                # whenever another configuration is followed
    await reminders.run()           # until it is cancelled: days pass, too

Nobody looks at a waiver that works. What is said here is an entry of the log, with the actions `waiver-expiring` and
`waiver-expired`; the numbers of each state are in the metrics (docs/waivers.md).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import date, datetime

from assess_core.clock import utc_now
from assess_core.config import Config
from assess_core.configured import waivers_of
from assess_core.formats.sentences import waiver_reminder
from assess_core.results import WaiverStanding

LOOK_S = 3600.0
"""Between two looks: what ends with the day is told within this."""

_TOLD = ("expiring", "expired")
"""States; what is not needed is told by the run that found it so."""

_log = logging.getLogger(__name__)


class Reminders:
    """For one service.

    Args:
        config: what is followed now; None while there is nothing.
    """

    def __init__(
        self,
        config: Callable[[], Config | None],
        *,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._config = config
        self._clock = clock
        self._sleep = sleep
        self._told: dict[WaiverStanding, date] = {}

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self.tell()
            await self._sleep(LOOK_S)

    def tell(self) -> None:
        """Each that ends soon or has ended is in the log, if it was not today."""
        config, now = self._config(), self._clock()
        if config is None:
            return
        standings = waivers_of(config).standings(now, notice_d=config.results.waiver_notice_d)
        told = {each: now.date() for each in standings if each.state in _TOLD}
        for each in told:
            if self._told.get(each) == now.date():
                continue
            _log.warning("%s", waiver_reminder(each), extra={"action": f"waiver-{each.state}"})
        self._told = told

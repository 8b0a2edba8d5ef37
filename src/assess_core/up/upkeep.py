"""What a journal needs while a service uses it: it is read as a whole when there is reason to, and what is old goes.

    upkeep = Upkeep(journal, keep_days=lambda: config.results.keep_days)
    why = upkeep.begin()                    # in a thread: whether what served it before was stopped in an orderly way
    await upkeep.run(why)                   # until it is cancelled, or the journal is damaged
    upkeep.end()                            # in a thread: the last thing that is written

None of it holds anybody up: reading has a connection of its own, and removing is done in slices.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

from assess_core.clock import utc_now
from assess_core.errors import StoreError
from assess_core.host.aside import aside
from assess_core.journal import FORWARD, Journal, JournalDamagedError

FIRST_S = 60.0
"""After the start, before anything is removed: then there is enough else to do."""

EACH_S = 24 * 3600.0
"""Between two times at which what is old goes."""

SURE_S = EACH_S - 3600.0
"""For how long a clock that was set far forward has to go on like that before it is believed."""

CHECKED_EACH = 7
"""Of so many of those, one reads the whole file before."""

_log = logging.getLogger(__name__)


class Upkeep:
    """For one service and one journal.

    Args:
        journal: which is open all the while.
        keep_days: for how long runs are kept, by what is configured now.
        clock: the time, aware.
        passed_s: seconds that pass, wherever the clock is set.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        keep_days: Callable[[], int],
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        passed_s: Callable[[], float] = monotonic,
    ) -> None:
        self._journal = journal
        self._keep_days = keep_days
        self._clock = clock
        self._sleep = sleep
        self._passed_s = passed_s
        self._begun_s = passed_s()
        self._known: datetime | None = None
        """What time it was at least when this began, by what an earlier service left."""
        self._doubted: tuple[float, timedelta] | None = None
        """Since when the clock is further on than it can be believed to be, and its lead over time that passed."""

    def begin(self) -> str:
        """It is known that a service uses the journal. Returns why all of it should be read, if there is a reason.

        Raises:
            StoreError: it could not be noted.
        """
        return self._journal.serve()

    def end(self) -> None:
        """It is known that the service was stopped, and everything it had is written; if there is room for that."""
        try:
            self._journal.served()
        except StoreError as error:
            text = "%s; the next start reads all of the journal, and that is all that comes of it"
            _log.warning(text, error, extra={"action": "journal-not-closed"})

    async def run(self, why: str) -> None:
        """All that is needed, for as long as nobody cancels it.

        Args:
            why: what `begin` returned.

        Raises:
            JournalDamagedError: the journal is damaged; the message says what to do.
        """
        if why:
            await self._read_all(why)
        await self._adopt()
        await self._sleep(FIRST_S)
        days = 0
        while True:
            await self._adopt()
            await self._remove_old()
            await self._sleep(EACH_S)
            days += 1
            if days % CHECKED_EACH == 0:
                await self._read_all("it was not read as a whole for a week")

    async def _read_all(self, why: str) -> None:
        _log.info("reading all of the journal: %s", why, extra={"action": "journal-checking"})
        try:
            await aside(self._journal.require_sound)
        except JournalDamagedError:
            raise
        except StoreError as error:
            _log.warning("the journal could not be read as a whole: %s", error, extra={"action": "journal-unchecked"})
        else:
            _log.info("every page of the journal can be read", extra={"action": "journal-sound"})

    async def _adopt(self) -> None:
        """What an older release left is vouched for: it is as it is found now."""
        try:
            await aside(self._journal.adopt)
        except JournalDamagedError:
            raise
        except StoreError as error:
            text = "what was there before any chain could not be vouched for: %s"
            _log.warning(text, error, extra={"action": "retention-failed"})

    def _believed(self, now: datetime, known: datetime) -> datetime:
        """The time as of which what is old goes: what a wrong clock removes does not come back."""
        passed = timedelta(seconds=self._passed_s() - self._begun_s)
        lead = now - known - passed
        if lead <= FORWARD:
            self._doubted = None
            return now
        at_s = self._passed_s()
        if self._doubted is None or abs(lead - self._doubted[1]) > FORWARD:
            self._doubted = at_s, lead
            _log.error(
                "the clock says %s, %.0f days later than it can be believed to be; nothing is removed by it until it "
                "has said so for a day. If it is right, `assess results prune --trust-clock` removes what is old",
                f"{now:%Y-%m-%d %H:%M}",
                lead / timedelta(days=1),
                extra={"action": "clock-doubted"},
            )
        return now if at_s - self._doubted[0] >= SURE_S else known + passed

    async def _remove_old(self) -> None:
        keep_days = self._keep_days()
        try:
            if self._known is None:
                self._known = await aside(self._journal.looked_at) or self._clock()
            now = self._believed(self._clock(), self._known)
            removed = await aside(partial(self._journal.retain, keep_days=keep_days, now=now))
        except JournalDamagedError:
            raise
        except StoreError as error:
            _log.warning("what is old could not be removed: %s", error, extra={"action": "retention-failed"})
            return
        self._known = max(now, self._known)
        self._begun_s = self._passed_s()
        if removed.runs or removed.evidence_bytes:
            _log.info(
                "removed %d runs with %d results that ended more than %d days ago, %.1f MiB of evidence",
                removed.runs,
                removed.results,
                keep_days,
                removed.evidence_bytes / (1 << 20),
                extra={"action": "retention"},
            )

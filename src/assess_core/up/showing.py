"""How a runtime that is up stands: for its service manager, for whoever asks its endpoint, for the log.

    now = Now(live=live)                # whoever starts and stops it keeps this true
    showing = Showing(now, tell=Notify(os.environ))
    beat = loop.create_task(showing.beat())
    showing.status()                    # next: host 10:15:00Z; 1 running

Reads, and changes nothing.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from typing import Literal

from assess_core.clock import utc_now
from assess_core.config import Config
from assess_core.host.standing import State
from assess_core.live.live import Live
from assess_core.observe.metrics import Standing
from assess_core.schedule.scheduler import Scheduler
from assess_core.up.notify import Notify
from assess_core.up.numbers import gather

_log = logging.getLogger(__name__)

Phase = Literal["starting", "up", "stopping"]

EXTEND_EVERY_S, EXTEND_BY_S = 10.0, 30.0
"""While it starts or stops, a service manager is asked for more time: that often, that much."""

BEAT_S = 5.0
"""Between two words to a service manager that has no watchdog on us."""

STATUS_EVERY_S = 10.0
"""How old `systemctl status` may be: it goes through all schedules."""

ASLEEP_S = 10.0
"""The scheduler wakes each second; one that has not for so long does not work any more."""

DISK_S = 60.0
"""A disk that has not answered for so long hangs."""


@dataclass(kw_only=True, slots=True)
class Now:
    """What there is of a runtime at this moment.

    Attributes:
        config: what is followed; None as long as nothing is.
        scheduler: None as long as nothing can be due.
        failed: why it cannot go on.
        degraded: why what is followed is not what the file says.
    """

    live: Live
    phase: Phase = "starting"
    config: Config | None = None
    scheduler: Scheduler | None = None
    failed: BaseException | None = None
    degraded: str = ""


class Showing:
    """Of one runtime.

    Args:
        now: as it stands, whenever it is asked.
        tell: the service manager.
    """

    def __init__(self, now: Now, *, tell: Notify) -> None:
        self._now = now
        self._tell = tell

    # --- for the service manager and the log

    def status(self) -> str:
        """In one line, for `systemctl status`."""
        now = self._now
        if now.phase != "up" and now.scheduler is None:
            return now.phase
        planned = now.scheduler.standing() if now.scheduler is not None else ()
        starts = [(each.next_start_at, each.assessment) for each in planned if each.next_start_at is not None]
        at, name = min(starts, default=(None, ""))
        said: list[str] = [now.phase] if now.phase != "up" else []
        if at is None:
            said.append("nothing is scheduled")
        else:
            said.append(f"next: {name} {max(at, utc_now()):%H:%M:%S}Z")
        running = sum(len(each.running) for each in planned)
        if running:
            said.append(f"{running} running")
        states = [standing.state for _, standing in now.live.standing.values()]
        if quarantined := sum(state is State.QUARANTINED for state in states):
            said.append(f"{quarantined} plugins quarantined")
        if now.phase == "up" and (stuck := self._stuck()):
            said.append(stuck)
        if self._is_degraded:
            why = "a bug of assess" if now.live.has_failed else "the configuration has a mistake"
            said.append(f"{why}; what was followed before goes on")
        return "; ".join(said)

    def log(self) -> None:
        """All of it is in the log."""
        _log.info("%s", self.status(), extra={"action": "standing"})
        for name, (installed, standing) in sorted(self._now.live.standing.items()):
            _log.info("%s %s: %s", name, installed.version, standing.state, extra={"action": "standing"})
        for planned in self._now.scheduler.standing() if self._now.scheduler is not None else ():
            _log.info("%s", planned, extra={"action": "standing", "assessment": planned.assessment})

    async def beat(self) -> None:
        """The service manager knows that we live; and that a start or an end that takes long is none that hangs."""
        every = min(BEAT_S, self._tell.watchdog_s / 3) if self._tell.watchdog_s else BEAT_S
        extended = said = float("-inf")
        while self._tell.is_heard:
            now_s = time.monotonic()
            if self._now.phase != "up" and now_s - extended >= EXTEND_EVERY_S:
                extended = now_s
                self._tell(EXTEND_TIMEOUT_USEC=round(EXTEND_BY_S * 1e6))
            if self._now.phase != "up" or self._is_well():
                self._tell(WATCHDOG=1)
            if now_s - said >= STATUS_EVERY_S:
                said = now_s
                self._tell(STATUS=self.status())
            await asyncio.sleep(every)

    # --- for whoever asks the endpoint

    def ailment(self) -> str:
        """As `Shown`."""
        if self._now.phase != "up" or self._is_well():
            return ""
        return "the schedule or the disk does not go on"

    def unready(self) -> str:
        """As `Shown`."""
        if self._now.failed is not None:
            return "the journal cannot be used"
        return self._stuck() if self._now.phase == "up" else self._now.phase

    async def look(self) -> Standing | None:
        """As `Shown`."""
        now = self._now
        if now.phase != "up" or now.scheduler is None or now.config is None:
            return None
        planned = now.scheduler.standing()
        seen = await gather(now.live, planned, now.config, now=utc_now())
        return replace(seen, refused=self._is_degraded, full=bool(self._stuck()))

    # --- what it goes by

    @property
    def _is_degraded(self) -> bool:
        return bool(self._now.degraded or self._now.live.refused)

    def _is_well(self) -> bool:
        """Whether what has to go on does: a service manager that hears nothing more restarts us."""
        scheduler, config = self._now.scheduler, self._now.config
        if scheduler is None or config is None:
            return True
        disk_s = self._now.live.journal.writer().oldest_s
        if disk_s > DISK_S and config.observe.watchdog:
            return False
        # Who waits for the disk does not turn, and mostly a restart would not help.
        return disk_s > 0 or asyncio.get_running_loop().time() - scheduler.woke_at_s < ASLEEP_S

    def _stuck(self) -> str:
        """What cannot be written down; empty if nothing is. Anybody may read it: no path, no name."""
        if self._now.scheduler is not None and self._now.scheduler.trouble:
            return "nothing begins, as what is due cannot be written down"
        if self._now.live.journal.writer().trouble:
            return "results that were found cannot be written down, and wait"
        return ""

"""What is held against one distribution: its deaths, the wait before the next start, its quarantine.

    probation = Probation(installed, policy, quarantines)
    if probation.died(ended, start=False, began_at=began, now=loop.time()):
        await probation.keep()          # it is quarantined, in memory at once, and now on disk
    probation.served()                  # a call went well

The rules are `Record`'s; here is what they are applied to, and what is said of it.
"""

import logging
import random
from collections import deque
from datetime import timedelta
from functools import partial

from assess_core.clock import utc_now
from assess_core.errors import FaultKind, PluginFault, StoreError
from assess_core.host.aside import aside
from assess_core.host.quarantine import Fatality, Quarantine, Quarantines
from assess_core.host.standing import KEPT_ENDS, Ended, Policy, Record
from assess_core.host.text import sentence
from assess_core.store import Death, InstalledPlugin, Trials

logger = logging.getLogger(__name__)


class Probation:
    """Of one installed plugin.

    Attributes:
        quarantine: None unless nothing of it is started any more.
        not_before: of the loop's clock: when the next worker may start.
        next_start_at: the same, for people.
        is_on_trial: it took another's place, and whether it has answered a call since is not on disk yet.
    """

    def __init__(
        self,
        installed: InstalledPlugin,
        policy: Policy,
        quarantines: Quarantines | None,
        trials: Trials | None = None,
    ) -> None:
        self._installed = installed
        self._trials = trials
        self.look_at_trial()
        self._policy = policy
        self._quarantines = quarantines
        self._record = Record(policy, rng=random.random)
        self._against: deque[Ended] = deque(maxlen=KEPT_ENDS)
        self.not_before, self.next_start_at = 0.0, utc_now()
        self.quarantine = self._found()
        self._on_disk = self.quarantine is not None
        self._keeping = self._said = self._said_of_trial = self._said_of_count = False
        self._uncounted: list[tuple[Ended, Death]] = []

    def look_at_trial(self) -> None:
        """It is known whether it is on trial, as that is on disk now."""
        self.is_on_trial = self._trials is not None and self._trials.holds(self._installed.env_key)

    async def pass_trial(self) -> None:
        """That it has answered is on disk, or the log says why not, once; the next good call tries again."""
        if self._trials is None or not self.is_on_trial:
            return
        try:
            await aside(self._trials.end, self._installed.env_key)
            self.is_on_trial = False
        except StoreError as error:
            if not self._said_of_trial:
                self._said_of_trial = True
                logger.warning("%s", error, extra={"action": "trial-not-ended"})

    def _say_uncounted(self, error: StoreError) -> None:
        if not self._said_of_count:
            self._said_of_count = True
            logger.warning("%s", error, extra={"action": "trial-not-counted"})

    @property
    def deaths(self) -> int:
        """That are held against it."""
        return self._record.deaths

    @property
    def last(self) -> Ended | None:
        """The last of them."""
        return self._against[-1] if self._against else None

    def served(self) -> None:
        """A call went well: nothing is held against it."""
        if self._against:
            self._record.served()
            self._against.clear()

    def died(self, ended: Ended, *, start: bool, began_at: float, now: float) -> bool:
        """Whether it is quarantined for that from now on; the times are of the loop's clock."""
        self._against.append(ended)
        known = self._record.deaths
        wait_s = self._record.died(start=start, began_at=began_at, now=now)
        if self.quarantine is not None:
            return False
        if wait_s is None:
            self._begin_quarantine(ended, self._fatalities())
            return True
        self._back_off(wait_s, now)
        if self.is_on_trial and not self._said_of_trial and self._record.deaths > known:
            self._uncounted.append((ended, _death(ended, lived_s=now - began_at)))
        return False

    @property
    def has_uncounted(self) -> bool:
        """Whether a version on trial died, and that is not on disk yet."""
        return bool(self._uncounted)

    async def count(self) -> bool:
        """Those deaths are on disk, or the log says why not, once; whether it is quarantined from now on, for all.

        While it is on trial they count without a window, and those of other processes with them: `assess run` once an
        hour sees one, and is another process each time.
        """
        uncounted, self._uncounted = self._uncounted, []
        return any([await self._count(ended, death) for ended, death in uncounted])

    async def _count(self, ended: Ended, death: Death) -> bool:
        if self._trials is None:
            return False
        try:
            write = partial(self._trials.died, at_once_s=self._policy.at_once_s)
            deaths = await aside(write, self._installed.env_key, death)
        except StoreError as error:
            self._say_uncounted(error)
            return False
        served = not any(each is ended for each in self._against)  # meanwhile
        if served or self.quarantine is not None or len(deaths) < self._policy.deaths:
            return False
        self._begin_quarantine(ended, tuple(map(_fatality, deaths)))
        return True

    def refused(self, ended: Ended, *, now: float) -> None:
        """A start came to no process, which the plugin cannot help."""
        self._against.append(ended)
        self._back_off(self._record.refused(), now)

    def forgive(self) -> None:
        """Nothing is held against it, whatever is on disk."""
        self.quarantine, self._on_disk = None, False
        self._said = False
        self._record = Record(self._policy, rng=random.random)
        self._against.clear()
        self.not_before = 0.0

    async def keep(self) -> None:
        """The quarantine is on disk, or the log says why not, once; it is to be tried again then."""
        if self._quarantines is None or self.quarantine is None or self._keeping:
            return
        self._keeping = True
        try:
            await aside(self._quarantines.put, self._installed.distribution, self.quarantine)
            self._on_disk = True
        except StoreError as error:
            if not self._said:
                self._said = True
                logger.warning("%s", error, extra={"action": "quarantine-not-kept"})
        finally:
            self._keeping = False
        if self._on_disk and self._trials is not None:  # whoever lifts it has it tried as often again
            try:
                await aside(self._trials.forgive, self._installed.env_key)
            except StoreError as error:
                self._say_uncounted(error)

    @property
    def is_unkept(self) -> bool:
        """Whether it could not be put where somebody lifts it from."""
        return self._quarantines is not None and self.quarantine is not None and not (self._on_disk or self._keeping)

    async def is_lifted(self) -> bool:
        """Whether it was on disk and is not any more: somebody has lifted it. A file that is damaged is put anew."""
        if self._quarantines is None or not self._on_disk:
            return False
        try:
            found = await aside(self._quarantines.look, self._installed.distribution)
        except StoreError as error:
            logger.warning("%s", error, extra={"action": "quarantine-unread"})
            return False
        if isinstance(found, str):
            logger.warning(
                "%s: %s stays quarantined, and is put there anew",
                found,
                self._installed.distribution,
                extra={"action": "quarantine-damaged"},
            )
            self._on_disk = False
            await self.keep()
        return found is None

    def fault(self, *, plugin: str, phase: str) -> PluginFault | None:
        """What a call is told while it is quarantined."""
        if self.quarantine is None:
            return None
        return PluginFault(
            f"it is quarantined: {sentence(_why(self.quarantine))} Once that is mended, "
            f"`assess plugins resume {self._installed.distribution}` tries again",
            plugin=plugin,
            phase=phase,
            kind=FaultKind.QUARANTINED,
            log_tail=self.quarantine.log_tail,
        )

    def expired(self, *, plugin: str, phase: str, timeout_s: float) -> PluginFault | None:
        """What a call is told that waited in vain for the next start; nothing when there was no death to wait for."""
        last = self.last
        if last is None:
            return None
        return PluginFault(
            f"no worker of {self._installed.distribution} could be had within {timeout_s:g} s, after {self.deaths} "
            f"that died or did not start; the last one, in {last.phase}: {last.message}",
            plugin=plugin,
            phase=phase,
            kind=FaultKind.START,
            log_tail=last.log_tail,
            hint=last.hint,
        )

    def _back_off(self, wait_s: float, now: float) -> None:
        self.not_before = now + wait_s
        self.next_start_at = utc_now() + timedelta(seconds=wait_s)

    def _found(self) -> Quarantine | None:
        if self._quarantines is None:
            return None
        try:
            found = self._quarantines.of(self._installed.distribution)
        except StoreError as error:
            logger.warning("%s", error, extra={"action": "quarantine-unread"})
            return None
        return found if found is not None and found.env_key == self._installed.env_key else None

    def _fatalities(self) -> tuple[Fatality, ...]:
        return tuple(
            Fatality(at=each.at, kind=each.kind, phase=each.phase, message=each.message) for each in self._against
        )

    def _begin_quarantine(self, last: Ended, deaths: tuple[Fatality, ...]) -> None:
        installed = self._installed
        self.quarantine = Quarantine(
            env_key=installed.env_key,
            version=installed.version,
            sha256=installed.sha256,
            since=utc_now(),
            deaths=deaths,
            log_tail=last.log_tail,
        )
        logger.error(
            "%s %s is quarantined: %s",
            installed.distribution,
            installed.version,
            _why(self.quarantine),
            extra={"action": "quarantined"},
        )


def _death(ended: Ended, *, lived_s: float) -> Death:
    at = utc_now()  # not when it ended: what follows it begins after this, and may not seem to have lived beside it
    began_at = at - timedelta(seconds=lived_s)
    return Death(at=at, began_at=began_at, kind=ended.kind, phase=ended.phase, message=ended.message)


def _fatality(death: Death) -> Fatality:
    return Fatality(at=death.at, kind=death.kind, phase=death.phase, message=death.message)


def _why(quarantine: Quarantine) -> str:
    since = quarantine.since.isoformat(timespec="seconds")
    if not quarantine.deaths:
        return f"since {since}"
    last = quarantine.deaths[-1]
    return f"{len(quarantine.deaths)} workers died, until {since}; the last one, in {last.phase}: {last.message}"

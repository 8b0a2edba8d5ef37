"""How a distribution's workers stand: what ended them, when the next may start, and when none does any more.

    record = Record(Policy(), rng=random.random)
    wait_s = record.died(start=False, began_at=now - 3, now=now)    ->    0.17, None once it is to be quarantined
    record.served()                                                 # a call went well: nothing is held against it

No I/O, no clock, no randomness of its own here; docs/wire.md, "What ends a worker", says the same to people.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from assess_core.errors import FaultKind
from assess_core.host.quarantine import Quarantine

KEPT_ENDS = 20
"""Ends that are remembered of each distribution."""

_COUNTED = frozenset((FaultKind.EXITED, FaultKind.SIGNALLED, FaultKind.PROTOCOL, FaultKind.LIMIT, FaultKind.START))

MOST_DEATHS = 1000
"""Whose times are remembered: a policy that allows more never ends in a quarantine for their number."""


class State(StrEnum):
    """Of a distribution's workers together; the first that is true."""

    STOPPED = "stopped"
    """Ended for good, or not asked for anything yet."""
    QUARANTINED = "quarantined"
    BUSY = "busy"
    """At least one is being called."""
    READY = "ready"
    """At least one waits for a call."""
    STARTING = "starting"
    BACKING_OFF = "backing-off"
    """None is there, and the next is not started yet, because of how the last one ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How one worker ended that was not simply stopped.

    Attributes:
        phase: `start`, `load`, `evaluate`, `execute`, `idle` between two calls, or `shutdown`.
        hint: what to do about it, a sentence.
        by_itself: it had exited before it was signalled.
    """

    at: datetime
    kind: FaultKind
    phase: str
    message: str
    hint: str
    log_tail: str
    by_itself: bool

    @property
    def counts(self) -> bool:
        """Whether it is held against it. What took too long may have had much to do; a shutdown harms no call."""
        return self.kind in _COUNTED and self.phase != "shutdown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How the workers of a distribution stand now.

    Attributes:
        since: when that state began.
        deaths: that are held against it: since a call last went well.
        restarts: workers that were started in place of one that had ended.
        next_start_at: None unless it is backing off.
        quarantine: None unless it is quarantined.
    """

    state: State
    since: datetime
    deaths: int
    restarts: int
    next_start_at: datetime | None = None
    quarantine: Quarantine | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How patient one is with a plugin whose workers die.

    Attributes:
        backoff_s: before the next start after one death; twice as long after each further one, times a random number
            from `jitter`, so that fifty plugins that died together do not come back together.
        most_backoff_s: no longer than that, before it is multiplied.
        deaths, within_s: so many within that time, no good call between them, and it is quarantined.
        starts: so many starts in a row that fail, likewise.
        at_once_s: what died within that of another, beside which it had lived, died of the same: it counts no more.
    """

    backoff_s: float = 0.2
    most_backoff_s: float = 60.0
    jitter: tuple[float, float] = (0.5, 1.5)
    deaths: int = 5
    within_s: float = 600.0
    starts: int = 3
    at_once_s: float = 5.0

    @classmethod
    def patient(cls) -> Self:
        """Starts again at once, however often: for one who is looking at the plugin, such as its author."""
        return cls(backoff_s=0.0, deaths=1 << 30, starts=1 << 30)


class Record:
    """What is held against one distribution. `rng` gives numbers from 0 to 1."""

    def __init__(self, policy: Policy, *, rng: Callable[[], float]) -> None:
        self._policy = policy
        self._rng = rng
        self._died_at: deque[float] = deque(maxlen=min(policy.deaths, MOST_DEATHS))
        self._failed_start_at = self._counted_at = float("-inf")
        self.deaths = 0
        self.failed_starts = 0

    def served(self) -> None:
        """A call went well."""
        self._died_at.clear()
        self.deaths = self.failed_starts = 0

    def died(self, *, start: bool, began_at: float, now: float) -> float | None:
        """How many seconds to wait before the next start; None: there is to be none, it is quarantined.

        Args:
            start: it died while it was being started.
            began_at: when that start began, or that worker was there. Of several starts that were under way at the same
                time one failure counts, and of several workers one death if they died at once: they say the same.
            now: both by one clock that does not go backwards.
        """
        if began_at < self._failed_start_at if start else self._is_of_the_last(began_at, now):
            return self._backoff_s()
        self.deaths += 1
        self._died_at.append(now)
        if start:
            self._failed_start_at = now
            self.failed_starts += 1
        else:
            self._counted_at = now
            self.failed_starts = 0
        return None if self._is_enough(now) else self._backoff_s()

    def refused(self) -> float:
        """How many seconds to wait after a start for which there was not even a process.

        It is the machine's fault, such as a full disk: no number of those is a reason for a quarantine.
        """
        self.deaths += 1
        return self._backoff_s()

    def _is_of_the_last(self, began_at: float, now: float) -> bool:
        return began_at < self._counted_at and now - self._counted_at <= self._policy.at_once_s

    def _is_enough(self, now: float) -> bool:
        policy = self._policy
        within = len(self._died_at) == policy.deaths and now - self._died_at[0] <= policy.within_s
        return within or self.failed_starts >= policy.starts

    def _backoff_s(self) -> float:
        least, most = self._policy.jitter
        doublings = min(max(self.deaths - 1, 0), 64)
        steady: float = min(self._policy.most_backoff_s, self._policy.backoff_s * 2.0**doublings)
        return steady * (least + (most - least) * self._rng())

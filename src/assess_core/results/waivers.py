"""Waivers: somebody answers for a failure that is known, until a day. It stays a failure, and exits as one.

    waivers.of("sysctl-kptr", "host:web-01", at=result_started_at)      the waiver of exactly this pair, if it holds

Pure rules. A waiver is for one check on one subject, written out: no pattern, no part of a name, no case folded. It is
applied to `fail` and to nothing else, as of the moment when the plugin was called, and is recorded with the result. It
holds to the end of its last day, UTC. No count, no exit code and no format is any better for it: it says that somebody
knows, and who (ADR 30).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from assess_core.results.values import Result, ResultOutcome, WaiverRef, WaiverStanding, WaiverState

NOTICE_D = 14
"""Days before its end from which on a waiver is `expiring`, unless the configuration says otherwise."""

MAX_D = 2 * 366
"""Days from now to the end of a waiver: two years. What has no end is an exception nobody looks at again."""

Pair = tuple[str, str]
"""Check and subject."""

_NOTHING_TO_WAIVE = {ResultOutcome.PASS, ResultOutcome.NOT_APPLICABLE}


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiver:
    """One waiver of the configuration."""

    check: str
    subject: str
    owner: str
    reason: str
    expires: date

    @property
    def pair(self) -> Pair:
        """What it is for."""
        return self.check, self.subject

    @property
    def ref(self) -> WaiverRef:
        """What a result says of it."""
        return WaiverRef(owner=self.owner, reason=self.reason, expires=self.expires)

    def holds(self, at: datetime) -> bool:
        """Whether its last day is not over at this moment."""
        return _day(at) <= self.expires

    def state(self, at: datetime, *, notice_d: float = NOTICE_D) -> WaiverState:
        """What there is to say of it, whatever was found."""
        if not self.holds(at):
            return "expired"
        return "expiring" if self.expires - _day(at) < timedelta(days=notice_d) else "active"


class Waivers:
    """All waivers of a configuration, each pair once."""

    def __init__(self, waivers: Iterable[Waiver] = ()) -> None:
        self._by_pair = {waiver.pair: waiver for waiver in waivers}

    def __iter__(self) -> Iterator[Waiver]:
        return iter(self._by_pair.values())

    def of(self, check: str, subject: str, *, at: datetime) -> WaiverRef | None:
        """The waiver for exactly this check on exactly this subject, if it holds at this moment."""
        waiver = self._by_pair.get((check, subject))
        return waiver.ref if waiver is not None and waiver.holds(at) else None

    def standings(
        self,
        at: datetime,
        *,
        results: Iterable[Result] = (),
        notice_d: float = NOTICE_D,
    ) -> tuple[WaiverStanding, ...]:
        """Each of them, and what there is to say of it after a run.

        One is unused where it holds and the run found nothing to waive; of what the run did not look at, or could not
        answer, nothing follows.

        Args:
            at: when the run was.
            results: what it found.
            notice_d: days before its end from which on one is `expiring`.
        """
        outcomes: dict[Pair, set[ResultOutcome]] = {}
        for result in results:
            if (result.check, result.subject.id) in self._by_pair:
                outcomes.setdefault((result.check, result.subject.id), set()).add(result.outcome)

        def state(waiver: Waiver) -> WaiverState:
            found = outcomes.get(waiver.pair, set())
            if waiver.holds(at) and found and found <= _NOTHING_TO_WAIVE:
                return "unused"
            return waiver.state(at, notice_d=notice_d)

        return tuple(
            WaiverStanding(check=waiver.check, subject=waiver.subject, waiver=waiver.ref, state=state(waiver))
            for waiver in self._by_pair.values()
        )


def expiry_problem(expires: date, now: datetime) -> str | None:
    """Why a waiver cannot be given until this day; None when it can."""
    today = _day(now)
    if expires < today:
        return f"{expires} is over; give a day that is still to come"
    last = today + timedelta(days=MAX_D)
    if expires > last:
        return f"{expires} is more than two years away; {last} is the last day that can be given"
    return None


def _day(moment: datetime) -> date:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(UTC).date()

"""When something is due: a rule that, of any moment, knows the first due time after it.

    berlin = Cron("30 2 * * *", "Europe/Berlin")
    berlin.after(datetime(2027, 3, 27, 12, tzinfo=UTC))   # 01:00 UTC on the 28th: 02:30 does not exist that day

Due times are whole seconds, moments aware and in UTC. What cron expressions mean where clocks change is Debian cron's
rule. An expression whose minute and hour both begin with something else than `*` names a time of day: once a day; if it
falls into a skipped hour, at that hour's end, if into a repeated one, the first time. Any other, and any with seconds,
is due at every real moment whose local time matches: a skipped hour has none, a repeated one has it twice.

cronsim reads expressions and walks local times; the zone never gets near it. Given one, it lost midnight where clocks
change by half an hour, and after a moment within a repeated hour named one before it (ADR 26).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SECOND = timedelta(seconds=1)

_WEEK = timedelta(days=7)
"""No zone changes there and back within one, so that an offset that is the same a week on was the same all week."""

_FIRST_SPAN, _WIDER = timedelta(seconds=64), 8
"""How far back from its end the last due time of a long time is looked for first, and how much further then."""

_REMEMBERED = 4096
"""Answers of cron expressions: assessments share expressions, and ask them the same at the same moment."""


class Times(Protocol):
    """When something is due."""

    def after(self, moment: datetime) -> datetime | None:
        """The first due time later than this moment, in UTC and in whole seconds; None if there is none."""


@dataclass(frozen=True, slots=True)
class Every:
    """Due whenever a period is over, counted since 1970: no beginning is kept, so a restart moves nothing."""

    period: timedelta
    phase: timedelta = timedelta(0)

    def after(self, moment: datetime) -> datetime | None:
        """The first due time later than this moment."""
        begun = (moment - EPOCH - self.phase) // self.period
        try:
            return EPOCH + self.phase + (begun + 1) * self.period
        except OverflowError:  # after the year 9999
            return None


@dataclass(frozen=True, slots=True)
class Cron:
    """Due as a cron expression of 5 fields, or 6 with seconds first, says in a time zone.

    Attributes:
        text: the expression; `check_cron` accepted it.
        zone: a name that `zone_of` knows.
    """

    text: str
    zone: str = "UTC"

    @property
    def is_time_of_day(self) -> bool:
        """Whether it is due once a day, whatever the clock does on that day."""
        return _is_time_of_day(self.text)

    def after(self, moment: datetime) -> datetime | None:
        """The first due time later than this moment; None if there is none within fifty years."""
        return _after(self.text, self.zone, moment)


def check_cron(text: str) -> None:
    """This is an expression that is due at some time.

    Raises:
        ValueError: it is not; the message says which field is wrong.
    """
    try:
        sim = CronSim(text, _SOME_LEAP_YEAR)
    except (CronSimError, AssertionError) as error:
        raise ValueError(f"not a cron expression: {str(error).lower() or 'a field that cannot be read'}") from error
    due = next(sim, None)
    if due is None or due > _SOME_LEAP_YEAR + _LONG:
        raise ValueError("never due: no day within five years is as it says")


_SOME_LEAP_YEAR = datetime(2024, 1, 1)  # noqa: DTZ001 - local times, of no zone yet
"""From where an expression is tried. A fixed day: the same file is valid today and tomorrow."""

_LONG = timedelta(days=5 * 366)


@lru_cache(maxsize=_REMEMBERED)
def _after(text: str, name: str, moment: datetime) -> datetime | None:
    zone = zone_of(name)
    try:
        return _once_a_day(text, zone, moment) if _is_time_of_day(text) else _each(text, zone, moment)
    except OverflowError:  # after the year 9999
        return None


def _is_time_of_day(text: str) -> bool:
    fields = text.split()
    return len(fields) == 5 and not fields[0].startswith("*") and not fields[1].startswith("*")


def _once_a_day(text: str, zone: tzinfo, moment: datetime) -> datetime | None:
    # No local time later than now's is due earlier than one before it, so none before now's can be what is sought.
    # Within the second of two equal hours, those of the first are passed over here: 60 steps, or 3600 for none.
    for local in CronSim(text, _local(moment, zone)):
        due = _first_moment(local, zone)
        if due > moment:
            return due
    return None


def _first_moment(local: datetime, zone: tzinfo) -> datetime:
    """When a clock in the zone first shows this; where it never does, when it has skipped it."""
    before = local.replace(tzinfo=zone).astimezone(UTC)
    if _local(before, zone) == local:
        return before
    # PEP 495: of a skipped time, fold=0 counts with the offset before the change and fold=1 with the one after, so
    # that the change lies between the two.
    after = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _change(after, before, zone) or before


def _each(text: str, zone: tzinfo, moment: datetime) -> datetime | None:
    while True:
        offset = _offset(moment, zone)
        local = next(CronSim(text, _local(moment, zone)), None)
        if local is None:
            return None
        due = (local - offset).replace(tzinfo=UTC)
        if due - moment <= _WEEK and _offset(due, zone) == offset:
            return due
        change = _change(moment, due, zone)
        if change is None:
            return due
        first = _local(change, zone)
        if next(CronSim(text, first - SECOND), None) == first:
            return change
        moment = change


def _change(since: datetime, until: datetime, zone: tzinfo) -> datetime | None:
    """The first second in (since, until] with another offset than `since` has; None if there is none."""
    offset = _offset(since, zone)
    while since < until:
        end = min(since + _WEEK, until)
        if _offset(end, zone) == offset:
            since = end
            continue
        while end - since > SECOND:
            middle = (since + (end - since) / 2).replace(microsecond=0)
            if middle <= since:
                break
            if _offset(middle, zone) == offset:
                since = middle
            else:
                end = middle
        return end
    return None


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _local(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """The zone of this name. UTC is known on machines without zone data, too.

    Raises:
        KeyError, ValueError, OSError: there is none; `spec.parse_zone` says so in a sentence.
    """
    return UTC if name == "UTC" else ZoneInfo(name)


def forget_zones() -> None:
    """Zones are read again from the machine's files, which an upgrade may have changed."""
    ZoneInfo.clear_cache()
    zone_of.cache_clear()
    _after.cache_clear()


def latest(times: Times, since: datetime, until: datetime) -> datetime | None:
    """The last due time in (since, until]; None if there is none.

    The usual case, one that is due and no more, takes two questions. Otherwise it is looked for from the end, in spans
    that grow, so that a month of most schedules takes ten.
    """
    best = times.after(since)
    if best is None or best > until:
        return None
    span = _FIRST_SPAN
    while until - span > best:
        due = times.after(until - span)
        if due is not None and due <= until:
            best = due
            break
        span *= _WIDER
    for _ in range(_WIDER):
        due = times.after(best)
        if due is None or due > until:
            return best
        best = due
    return _halving(times, best, until)


def _halving(times: Times, best: datetime, until: datetime) -> datetime:
    end = until.replace(microsecond=0)
    while best < end:  # nothing is due in (end, until]
        middle = best + (end - best) // (2 * SECOND) * SECOND
        due = times.after(middle)
        if due is None or due > until:
            end = middle
        else:
            best = due
    return best


def upcoming(times: Times, since: datetime) -> Iterator[datetime]:
    """All due times later than this moment, in order; mostly there is no last one."""
    due = times.after(since)
    while due is not None:
        yield due
        due = times.after(due)

"""Cron, as slowly and plainly as can be: every minute of a time is looked at, and asked whether it is meant.

Shares nothing with what it is held against: neither a parser nor arithmetic on offsets. Debian's rules: one of
five fields whose minute and hour both begin with something else than `*` is a time of day, once a day; any other is due
at every real moment whose local time matches.
"""

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
MINUTE = timedelta(minutes=1)

Matcher = Callable[[datetime], bool]


def due_times(text: str, zone: str, since: datetime, until: datetime) -> list[datetime]:
    """All due times in (since, until], in UTC."""
    fields = text.split()
    matches, seconds = _matcher(fields), _numbers(fields[0], 0, 59) if len(fields) == 6 else {0}
    if len(fields) == 5 and not fields[0].startswith("*") and not fields[1].startswith("*"):
        found = _times_of_day(matches, ZoneInfo(zone), since, until)
    else:
        found = _moments(matches, sorted(seconds), ZoneInfo(zone), since, until)
    return sorted({due for due in found if since < due <= until})


def _moments(matches: Matcher, seconds: list[int], zone: ZoneInfo, since: datetime, until: datetime) -> list[datetime]:
    found, minute = [], since.replace(second=0, microsecond=0)
    while minute <= until:
        if matches(minute.astimezone(zone).replace(tzinfo=None)):
            found += [minute + timedelta(seconds=second) for second in seconds]
        minute += MINUTE
    return found


def _times_of_day(matches: Matcher, zone: ZoneInfo, since: datetime, until: datetime) -> list[datetime]:
    # What clocks show, minute by minute of real time; a time that they never show is due when they show a later one.
    # From a day before, so that what was shown for the first time before `since` is known to have been.
    shown: dict[datetime, datetime] = {}
    real = since.replace(second=0, microsecond=0) - timedelta(days=1)
    while real <= until + timedelta(days=1):
        shown.setdefault(real.astimezone(zone).replace(tzinfo=None), real)
        real += MINUTE
    found, local, last = [], min(shown), max(shown)
    while local <= last:
        if matches(local):
            first = local
            while first not in shown and first <= last:
                first += MINUTE
            if first in shown:
                found.append(shown[first])
        local += MINUTE
    return found


def _matcher(fields: list[str]) -> Matcher:
    minute, hour, day, month, weekday = fields[-5:]
    minutes, hours, months = _numbers(minute, 0, 59), _numbers(hour, 0, 23), _numbers(month, 1, 12, MONTHS, first=1)
    both = day.startswith("*") or weekday.startswith("*")

    def matches(local: datetime) -> bool:
        if local.minute not in minutes or local.hour not in hours or local.month not in months:
            return False
        found = (_day_of_month(day, local.date()), _day_of_week(weekday, local.date()))
        return all(found) if both else any(found)

    return matches


def _day_of_month(text: str, day: date) -> bool:
    days = [date(day.year, day.month, number + 1) for number in range(calendar.monthrange(day.year, day.month)[1])]
    for item in text.split(","):
        if item == "L":
            if day == days[-1]:
                return True
        elif item == "LW":
            if day == [each for each in days if each.isoweekday() <= 5][-1]:
                return True
        elif day.day in _numbers(item, 1, 31):
            return True
    return False


def _day_of_week(text: str, day: date) -> bool:
    for item in text.split(","):
        if item.endswith("L"):
            last = (day + timedelta(days=7)).month != day.month
            if last and day.isoweekday() % 7 in {number % 7 for number in _numbers(item[:-1], 0, 7, DAYS)}:
                return True
        elif "#" in item:
            name, nth = item.split("#")
            if (day.day - 1) // 7 + 1 == int(nth) and day.isoweekday() % 7 in {
                number % 7 for number in _numbers(name, 0, 7, DAYS)
            }:
                return True
        elif day.isoweekday() % 7 in {number % 7 for number in _numbers(item, 0, 7, DAYS)}:
            return True
    return False


def _numbers(text: str, low: int, high: int, names: list[str] = [], *, first: int = 0) -> set[int]:  # noqa: B006
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if span == "*":
            numbers = list(range(low, high + 1))
        else:
            begin, _, end = span.partition("-")
            start = _number(begin, names, first)
            stop = _number(end, names, first) if end else high if step else start
            numbers = list(range(start, stop + 1))
        found |= set(numbers[:: int(step or 1)])
    return found


def _number(text: str, names: list[str], first: int) -> int:
    return names.index(text.upper()) + first if text.upper() in names else int(text)


def changes(zone: str, year: int) -> list[datetime]:
    """The moments of a year at which clocks are set, to the minute."""
    found, place, moment = [], ZoneInfo(zone), datetime(year, 1, 1, tzinfo=UTC)
    while moment.year == year:
        later = moment + timedelta(hours=6)
        if moment.astimezone(place).utcoffset() != later.astimezone(place).utcoffset():
            minute = moment
            while minute.astimezone(place).utcoffset() == moment.astimezone(place).utcoffset():
                minute += MINUTE
            found.append(minute)
        moment = later
    return found

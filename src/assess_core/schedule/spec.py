"""What people write for when: `every 15m`, `30 2 * * *`, `Europe/Berlin`, `90s`.

Each function returns the value, or raises ValueError with what is wrong in one sentence.
"""

import difflib
import re
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import available_timezones

from assess_core.schedule.times import Cron, Every, Times, check_cron, zone_of

MAX_TEXT = 200
"""Characters of a schedule; one with every minute of an hour by number has 170."""

MAX_DURATION = timedelta(days=366)

_DURATION = re.compile(r"([0-9]{1,9})(s|m|h|d)\Z", re.ASCII)
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*){0,2}\Z", re.ASCII)
_NO_ZONES = frozenset(("posix", "right", "posixrules", "localtime", "leapseconds", "Factory"))
"""In the directory of zones, but none of them: with leap seconds, or whatever this machine is set to."""


@dataclass(frozen=True, slots=True)
class Spec:
    """When something is due, as it was written and as it can be asked.

    Attributes:
        text: as it was written, with single spaces.
        zone: what a cron expression's times are times of; empty for `every`.
    """

    text: str
    zone: str
    times: Times

    @property
    def key(self) -> str:
        """What it is remembered by: another one begins anew."""
        return f"{self.text} {self.zone}".rstrip()

    @property
    def period(self) -> timedelta | None:
        """What lies between two due times, if that is always the same."""
        return self.times.period if isinstance(self.times, Every) else None


def parse_schedule(text: str, zone: str = "UTC") -> Spec:
    """`every <n>(s|m|h|d)`, from a second to 366 days, or a cron expression of 5 fields, or of 6 with seconds first.

    Args:
        text: as it was written.
        zone: what `parse_zone` accepted; of no meaning for `every`.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"expected at most {MAX_TEXT} characters")
    words = text.split()
    if not text.isascii() or not text.isprintable() or not words:
        raise ValueError(_EXPECTED)
    if words[0].lower() == "every":
        period = parse_duration(" ".join(words[1:])) if len(words) == 2 else timedelta(0)
        if not period:
            raise ValueError("expected `every` and how long, for example `every 15m`; at least a second")
        return Spec(f"every {words[1]}", "", Every(period))
    if len(words) not in (5, 6):
        raise ValueError(_EXPECTED)
    spelled = " ".join(words)
    check_cron(spelled)
    return Spec(spelled, zone, Cron(spelled, zone))


_EXPECTED = "expected `every 15m` or a cron expression of 5 fields, or 6 with seconds first, for example `30 2 * * *`"


def parse_key(key: str) -> Spec | None:
    """The schedule that is remembered by this `Spec.key`; None if it was none that can be read now."""
    text, _, zone = key.rpartition(" ")
    try:
        return parse_schedule(key) if key.startswith("every ") else parse_schedule(text, parse_zone(zone))
    except ValueError:
        return None


def parse_duration(text: str) -> timedelta:
    """A whole number of seconds, minutes, hours or days: `0s`, `90s`, `15m`, `4h`, `1d`; at most 366 days."""
    match = _DURATION.match(text)
    duration = int(match[1]) * _UNITS[match[2]] if match else None
    if duration is None or duration > MAX_DURATION:
        raise ValueError("expected a number and s, m, h or d, for example '90s' or '15m'; at most 366 days")
    return duration


def parse_zone(name: str) -> str:
    """The name of a time zone that this machine knows: `UTC`, `Europe/Berlin`."""
    if name.split("/", maxsplit=1)[0] not in _NO_ZONES and _ZONE.match(name):
        try:
            zone_of(name)
        except (KeyError, ValueError, OSError):
            pass
        else:
            return name
    known = available_timezones()
    if not known:
        raise ValueError("this machine has no time zone data: install tzdata, or use 'UTC'")
    near = difflib.get_close_matches(name[:MAX_TEXT], known, n=1)
    raise ValueError(f"not a time zone{f'; did you mean {near[0]!r}?' if near else ', for example Europe/Berlin'}")

"""The wall clock, for whoever is not given another one, and how moments are written."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

Clock = Callable[[], datetime]
"""Aware, UTC."""


def utc_now() -> datetime:
    """What time it is, aware."""
    return datetime.now(UTC)


def timestamp(moment: datetime, *, timespec: Literal["milliseconds", "microseconds"] = "milliseconds") -> str:
    """The moment in UTC as RFC 3339 writes it, for example `2026-11-21T05:10:00.123Z`.

    Raises:
        ValueError: it has no time zone.
    """
    require_zone(moment)
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def require_zone(*moments: datetime) -> None:
    """Each of them is aware.

    Raises:
        ValueError: one is not.
    """
    for moment in moments:
        if moment.utcoffset() is None:
            raise ValueError(f"{moment.isoformat()} has no time zone")

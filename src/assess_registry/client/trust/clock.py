"""A clock that went back is noticed: with it, expired metadata would be current again and revoked keys valid.

The largest time at which a word was accepted is kept. Only accepted times are, so a clock that stood far ahead by
mistake makes everything look expired and leaves no trace that would lock this machine out after it is put right. One
that is ahead by less than a remembered word may be old does leave one: that it served then has to count, or setting the
clock back day by day would keep the word young for ever.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import atomic_write, read_bounded

TOLERANCE = timedelta(seconds=60)
"""A clock that is disciplined by NTP may step back by less than this; no signature lives or dies by it."""

_MAX_BYTES = 200


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


class ClockGuard:
    """Tells the time, and refuses one that lies before what was seen already."""

    def __init__(self, path: Path, *, now: Callable[[], datetime] = utc_now) -> None:
        self._path = path
        self._now = now

    def check(self) -> datetime:
        """The time now, not before the largest ever accepted.

        Raises:
            TrustError: step `clock`; it is, or what was kept cannot be read.
        """
        now, largest = self._now(), self._largest()
        if largest is not None and now < largest - TOLERANCE:
            raise TrustError(
                "this machine's clock went back, so nothing can be said to be current",
                step="clock",
                thing="system clock",
                expected=f"not before {_text(largest)}",
                got=_text(now),
                next_step=f"set the clock; if it is right now and had been ahead, remove {self._path}",
            )
        return now

    def accept(self, time: datetime) -> None:
        """Keep this time, unless a larger one is kept."""
        largest = self._largest()
        if largest is None or time > largest:
            atomic_write(self._path, json.dumps({"largest": _text(time)}).encode() + b"\n", mode=0o600)

    def _largest(self) -> datetime | None:
        try:
            time = datetime.fromisoformat(json.loads(read_bounded(self._path, _MAX_BYTES))["largest"])
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, ConfigError, RecursionError) as error:
            raise self._damaged() from error
        if time.tzinfo is None:
            raise self._damaged()
        return time

    def _damaged(self) -> TrustError:
        # Not taken for "never seen": then damaging the file would be the way around it.
        return TrustError(
            "the largest time seen so far was kept here and cannot be read",
            step="clock",
            thing=str(self._path),
            next_step=f"make sure that the clock is right, then remove {self._path}",
        )


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()

"""Whether the clock can be right that the registry is signed by, as far as the registry's own disk can tell.

Whoever signs with a clock that is behind locks every client out, and says so to nobody; whoever signs with one that is
ahead takes from the next term what lets old word expire. What is signed now bears an end. Terms are the same from day
to day, so something that would end before it was signed by a clock that is behind, comes after one that was ahead, or
has a shorter term: each of these is for a person to look at.

    require_clock({"timestamp": state.current.timestamp.signed.expires}, now=now, expiry=expiry)
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from assess_registry.config import Expiry
from assess_registry.errors import TrustError
from assess_registry.repository.roles import days, until

TOLERANCE = timedelta(hours=1)
"""Desk and server sign in turn, and their clocks are never the same; more than this is a fault of one of them."""

OVERRULE = "--overrule-clock-check"


def require_clock(signed: Mapping[str, datetime], *, now: datetime, expiry: Expiry) -> None:
    """None of these roles would end earlier, signed now, than it does already.

    Args:
        signed: role -> the end that it bears.
        now: what the clock says.
        expiry: for how long each role would be signed.

    Raises:
        TrustError: step `clock`; one would, by more than `TOLERANCE`. It names the one that would lose most.
    """
    lost = {role: end - until(expiry, role, now) for role, end in signed.items()}
    worst = max(lost, key=lambda role: lost[role], default="")
    if worst and lost[worst] > TOLERANCE:
        raise TrustError(
            f"signed now it would end {_said(lost[worst])} earlier than it does already",
            step="clock",
            thing=worst,
            expected=f"an end not before {time_text(signed[worst])}, which is signed",
            got=f"{time_text(until(expiry, worst, now))}: {days(expiry, worst)} days from {time_text(now)}, the time "
            "of this machine's clock",
            next_step="look at the clock of this machine, with `date -u`, and set it if it is behind; if it is right, "
            f"another one was ahead when {worst} was signed, its term in [expiry] of registry.toml was shortened, or a "
            f"thief signed it: find out which, then give {OVERRULE} once",
        )


def is_beyond_term(role: str, end: datetime, *, now: datetime, expiry: Expiry) -> bool:
    """Whether it ends later than anything may that was signed by now: a clock was ahead, or the term was longer."""
    return end - until(expiry, role, now) > TOLERANCE


def time_text(time: datetime) -> str:
    """To the second, UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _said(span: timedelta) -> str:
    return f"{span.days} days" if span >= timedelta(days=2) else f"{span / timedelta(hours=1):.0f} hours"

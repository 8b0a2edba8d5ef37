"""Maintenance: when no run begins. Pure.

A window opens again and again, or once; what had begun before goes on. Of several that are open at a moment, the
strictest counts: `skip` is stricter than `after`, and what waits does so until none is open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from assess_core.schedule.times import Times, latest

Word = Literal["after", "skip"]
"""What becomes of what is due meanwhile: one run when all are over, or none."""

_MOST_IN_A_ROW = 100
"""Windows looked through for an end; where they never leave a gap, it is looked again at the end of the last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """One `[[maintenance]]`.

    Attributes:
        opens: when it opens, again and again; None if it does once.
        duration: how long it is then open, in time that passes.
        begins, ends: the one time at which it is open, if `opens` is None; the end is not part of it.
    """

    id: str
    word: Word
    opens: Times | None = None
    duration: timedelta = timedelta(0)
    begins: datetime | None = None
    ends: datetime | None = None

    def end_at(self, moment: datetime) -> datetime | None:
        """When it closes, if it is open at this moment; else None."""
        if self.opens is not None:
            opened = latest(self.opens, moment - self.duration, moment)
            return None if opened is None else opened + self.duration
        if self.begins is None or self.ends is None or not self.begins <= moment < self.ends:
            return None
        return self.ends


@dataclass(frozen=True, kw_only=True, slots=True)
class Open:
    """A window that is open at some moment.

    Attributes:
        ends_at: when it closes.
    """

    window: Window
    ends_at: datetime


def open_at(windows: Sequence[Window], moment: datetime) -> Open | None:
    """The window that counts at this moment: one that says `skip`, else the one that closes last."""
    found = [Open(window=each, ends_at=end) for each in windows if (end := each.end_at(moment)) is not None]
    return max(found, key=lambda each: (each.window.word == "skip", each.ends_at), default=None)


def over_at(windows: Sequence[Window], moment: datetime) -> datetime:
    """The first moment, from this one on, at which none is open; or one at which it pays to look again."""
    for _ in range(_MOST_IN_A_ROW):
        ends = [end for each in windows if (end := each.end_at(moment)) is not None]
        if not ends:
            break
        moment = max(ends)
    return moment

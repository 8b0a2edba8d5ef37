"""What comes next, asked beforehand: at the moment when a thousand assessments are due, none of them asks cron.

ahead = Ahead(times)
ahead.look(cursor)              # while there is time
ahead.after(cursor)             # at the moment it is due: both from memory
"""

from datetime import datetime

from assess_core.schedule.times import Times


class Ahead:
    """Answers as `times` does, and remembers the two due times after a moment."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._since: datetime | None = None
        self._first: datetime | None = None
        self._second: datetime | None = None

    def after(self, moment: datetime) -> datetime | None:
        """The first due time later than this moment."""
        if self._since is not None and self._since <= moment:
            if self._first is None or moment < self._first:
                return self._first
            if self._second is None or moment < self._second:
                return self._second
        return self._times.after(moment)

    def look(self, moment: datetime) -> None:
        """From now on, the two due times after this moment are known."""
        first = self.after(moment)
        second = self.after(first) if first is not None else None
        self._since, self._first, self._second = moment, first, second

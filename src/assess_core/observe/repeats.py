"""What is said again and again: a few times each minute, and then counted.

A disk that is full or a registry that is gone says the same with every assessment. The first records of each minute
are told; the others are counted, and the count is told when the minute is over.
"""

import logging
from dataclasses import dataclass
from typing import TypeVar

TOLD = 20
"""Equal records a minute."""

ALIKE = 200
"""Records a minute from one place in the code, whatever they name: hostile text varies."""

WINDOW_S = 60.0

_MOST = 1_000
"""Messages that are remembered at a time; beyond them only the place counts."""

_Place = tuple[str, int]

Key = TypeVar("Key")


@dataclass(kw_only=True, slots=True)
class _Seen:
    """One message, or one place; nothing of its records is kept alive."""

    since: float
    name: str
    level: int
    message: str
    action: str
    kept_back: int = 0
    count: int = 0


class Repeats:
    """Decides which records are told. For one thread at a time."""

    def __init__(self) -> None:
        self._equal: dict[tuple[_Place, str], _Seen] = {}
        self._alike: dict[_Place, _Seen] = {}

    def admits(self, record: logging.LogRecord, message: str) -> bool:
        """Whether it is told; counted it is in any case."""
        place = (record.pathname, record.lineno)
        alike = self._alike.get(place) or self._alike.setdefault(place, _seen(record, message))
        equal = self._equal.get((place, message))
        if equal is None and len(self._equal) < _MOST:
            equal = self._equal.setdefault((place, message), _seen(record, message))
        if equal is not None:
            equal.count += 1
            if equal.count > TOLD:
                equal.kept_back += 1
                return False
        alike.count += 1
        if alike.count > ALIKE:
            alike.kept_back += 1
            return False
        return True

    def over(self, now: float) -> list[logging.LogRecord]:
        """One record for each whose minute is over and of which some were kept back; it begins anew.

        A clock that was set back ends every minute: nothing is kept back until it has caught up.
        """
        equal = [_summary(seen, now, "times more") for seen in _ended(self._equal, now) if seen.kept_back]
        alike = [_summary(seen, now, "more like it") for seen in _ended(self._alike, now) if seen.kept_back]
        return equal + alike


def _ended(seen: dict[Key, _Seen], now: float) -> list[_Seen]:
    """Taken out. They lie in the order of their minutes, so mostly one look says that there is none."""
    ended = []
    while seen:
        key, oldest = next(iter(seen.items()))
        if 0 <= now - oldest.since < WINDOW_S:
            break
        ended.append(seen.pop(key))
    return ended


def _seen(record: logging.LogRecord, message: str) -> _Seen:
    action = str(getattr(record, "action", ""))
    return _Seen(since=record.created, name=record.name, level=record.levelno, message=message, action=action)


def _summary(seen: _Seen, now: float, words: str) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {
            "name": seen.name,
            "levelno": seen.level,
            "levelname": logging.getLevelName(seen.level),
            "msg": "%s (%d %s within a minute)",
            "args": (seen.message, seen.kept_back, words),
            "action": seen.action,
            "repeated": seen.kept_back,
        }
    )
    made.created = now
    return made

"""Whether every due time had exactly one fate: a run, a skip, or still to come. Read from the tables, by nobody's code.

    begun = cursors(journal)                    # after the first start
    ...                                         # started, killed, started
    fates = fates_of(journal, periods={"host": 5}, since=begun)
    assert fates.complaints == []

Only for schedules `every N s`, whose due times are whole multiples of N seconds since 1970: that is all it has to know.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECOND_US = 1_000_000


@dataclass(kw_only=True, slots=True)
class Fates:
    """What became of due times.

    Attributes:
        complaints: a line for each due time that has none or several, and for each fate of what was never due.
        counts: how many due times have which fate; `again`: runs that were begun more than once.
    """

    complaints: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def cursors(journal: Path) -> dict[str, int]:
    """Up to when each assessment's due times are decided, in microseconds."""
    return dict(_read(journal, "SELECT assessment, cursor_us FROM schedules"))


def fates_of(journal: Path, *, periods: Mapping[str, int], since: Mapping[str, int]) -> Fates:
    """Of all due times after `since` up to the cursor, of assessments that are due each so many seconds."""
    found = Fates()
    fates: dict[str, dict[int, list[str]]] = {name: {} for name in periods}
    runs = _read(journal, "SELECT assessment, due_us, attempt FROM runs")
    for name, due_us, attempt in runs:
        fates[name].setdefault(due_us, []).append("run")
        found.counts["again"] += attempt > 1
    for name, due_us, state in _read(journal, "SELECT assessment, due_us, state FROM due"):
        fates[name].setdefault(due_us, []).append(f"still {state}")
    for name, first_us, last_us, why in _read(journal, "SELECT assessment, first_us, last_us, why FROM skips"):
        if first_us % (periods[name] * SECOND_US):
            found.complaints.append(f"{name}: skipped from {first_us}, which is no due time")
        for due_us in range(first_us, last_us + 1, periods[name] * SECOND_US):
            fates[name].setdefault(due_us, []).append(f"skip: {why}")
        if (last_us - first_us) % (periods[name] * SECOND_US):
            found.complaints.append(f"{name}: skipped until {last_us}, which is no due time")
    now = cursors(journal)
    for name, period in periods.items():
        if name not in now or name not in since:
            found.complaints.append(f"{name}: has no cursor")
            continue
        _compare(found, name, fates[name], period * SECOND_US, since[name], now[name])
    return found


def _compare(found: Fates, name: str, fates: Mapping[int, list[str]], step: int, since_us: int, now_us: int) -> None:
    expected = range((since_us // step + 1) * step, now_us + 1, step)
    found.counts["due"] += len(expected)
    for due_us in expected:
        its = fates.get(due_us, [])
        found.counts.update(its)
        if len(its) != 1:
            found.complaints.append(f"{name}: {due_us} has {its or 'no fate'}")
    for due_us in fates.keys() - set(expected):
        found.complaints.append(f"{name}: {due_us} has {fates[due_us]}, and was not due from {since_us} to {now_us}")


def _read(journal: Path, statement: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(journal, timeout=30)) as connection:
        return connection.execute(statement).fetchall()

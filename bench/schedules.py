"""Ten thousand schedules, a thousand due at one instant: how late they begin, and what it costs to wait for them."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.effort import Effort
from bench.machine import versions
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, Unit, ratio

TITLE = "Schedules"
NOTES = """
{many:,} schedules of once a day in SQLite on a disk, {burst:,} of them due at the same instant; each side in a process
of its own, and what it runs ends at once. *Late* is from that instant to the beginning of a run. Ours are claimed in
one transaction, with fsync, before any of them begins; so one that is killed in between loses none and begins none
twice.

Beside it APScheduler's `AsyncIOScheduler` with `SQLAlchemyJobStore` on SQLite and `misfire_grace_time=None`: with the
default, a second, it drops most of such a burst. It was set up with `synchronous=OFF`, and ran as it comes.

*Idle* is the processor's time in {idle} s in which nothing is due; ours looks each second at the clock, which may have
been set, and at what was asked for.
"""


def run(effort: Effort) -> Report:
    """Both sides, alternately."""
    many, burst, idle = (1000, 100, 5) if effort.quick else (10_000, 1000, 20)
    ours, theirs = [], []
    for _ in range(effort.of(3, 1)):
        ours.append(_side("ours", many, burst, idle))
        theirs.append(_side("apscheduler", many, burst, idle))
    rows = (
        _row("late, 99 % of them", "p99_ms", "ms", ours, theirs, Goal(limit=0.1, unit="x", text="<= 1/10 (0.1x)")),
        _row("late, half of them", "p50_ms", "ms", ours, theirs),
        _row("processor for these", "burst_cpu_s", "s", ours, theirs),
        _idle(ours, theirs),
        _row(f"{many:,} known, and on the disk", "loaded_s", "s", ours, theirs),
    )
    notes = paragraphs(NOTES, many=many, burst=burst, idle=idle)
    return Report(rows=rows, notes=notes, versions=versions("apscheduler", "sqlalchemy"))


def _side(side: str, many: int, burst: int, idle: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:  # where a disk is; /tmp may be memory
        command = [sys.executable, "-m", "bench.programs.schedules", side, directory, *map(str, (many, burst, idle))]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _row(
    what: str, key: str, unit: Unit, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], goal: Goal | None = None
) -> Row:
    mine, other = _sample(unit, key, ours), _sample(unit, key, theirs)
    return Row(what=what, ours=mine, peer="APScheduler", theirs=other, measured=ratio(mine, other), goal=goal)


def _idle(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Row:
    mine, other = _sample("%", "idle_percent", ours), _sample("%", "idle_percent", theirs)
    return Row(
        what="idle, of a core",
        ours=mine,
        peer="APScheduler",
        theirs=other,
        goal=Goal(limit=1, unit="%", text="< 1 %"),
    )


def _sample(unit: Unit, key: str, sides: list[dict[str, Any]]) -> Sample:
    return Sample(unit=unit, values=tuple(side[key] for side in sides))

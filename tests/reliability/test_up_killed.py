"""`assess up`, killed at random moments and started again on the same state: no due time is lost, none runs twice.

Moments are anywhere: while it starts, while it is up, with runs under way and waiting, with a worker or the prepared
parent killed just before. What the journal says afterwards is held against the clock (`tests.support.fates`).
"""

import contextlib
import os
import random
import shutil
import sqlite3
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from assess_core.journal import Journal
from tests.reliability.conftest import size
from tests.support.fates import Fates, cursors, fates_of
from tests.support.fleet_place import SUBJECTS, Fleet, assessment, checks, make_fleet
from tests.support.killer import kill_one
from tests.support.nothing_left import Adopted, children_of, left_of
from tests.support.up import Up, assess

KILLS = size(200, 10)
PLUGINS, SCHEDULES = 3, 30
PERIODS = {f"due-{number:02}": 1 + number % 7 for number in range(SCHEDULES)}
PAUSE_MS = (0, 60, 200)
"""What a call takes, by plugin: from runs that are over at once to some that overlap."""

READY_CPU_S = 2.0
"""Of processor time until READY. On a machine of its own that is its time, too; here others may work."""

READY_WITHIN_S = 60.0
SETTLES_WITHIN_S = 60.0

FIRSTS = """
SELECT assessment, min(at) FROM (
    SELECT assessment, due_us AS at FROM runs
    UNION ALL SELECT assessment, due_us FROM due
    UNION ALL SELECT assessment, first_us FROM skips
) GROUP BY assessment
"""


@dataclass(kw_only=True, slots=True)
class Starts:
    """How long it took until READY, of each start that was not killed before."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)

    def heard(self, up: Up) -> None:
        up.until("up-ready", within_s=READY_WITHIN_S)
        self.wall_s.append(time.monotonic() - up.began)
        self.cpu_s.append(cpu_s(up.process.pid))

    def __str__(self) -> str:
        wall, cpu = (
            f"{statistics.median(these):.2f} s, at most {max(these):.2f} s" for these in (self.wall_s, self.cpu_s)
        )
        killed = ", ".join(f"{count} {what}" for what, count in sorted(self.killed.items()))
        return f"killed: {killed}; READY after {wall}; of a processor {cpu} (medians of {len(self.wall_s)})"


@pytest.fixture
def place(tmp_path: Path) -> Fleet:
    fleet = make_fleet(tmp_path / "fleet", count=PLUGINS)
    fleet.configure(
        plugins={name: {"settings": {"pause_ms": PAUSE_MS[i]}} for i, name in enumerate(fleet.names)},
        assessments=[scheduled(fleet, number) for number in range(SCHEDULES)],
    )
    return fleet


def scheduled(fleet: Fleet, number: int) -> dict[str, object]:
    """Every policy with every other, and with each plugin."""
    return (
        assessment(fleet.names[number % PLUGINS])
        | {
            "id": f"due-{number:02}",
            "schedule": f"every {1 + number % 7}s",
            "overlap": ("skip", "queue", "parallel")[number // 3 % 3],
            "misfire": ("run_once", "skip")[number // 9 % 2],
            "grace_s": 1,
        }
        | ({"jitter": "0s"} if number % 2 else {})
    )


def test_every_due_time_has_one_fate_whenever_it_is_killed(place: Fleet, adopted: Adopted) -> None:
    starts, chance = Starts(), random.Random()
    journal = place.state / "journal.db"
    with Up(place.path, place.state) as up:
        starts.heard(up)
        up.until("run-started")
        since = begun(journal)
        starts.killed["up"] += 1
    for _ in range(KILLS - 1):
        killed_once(place, starts, chance)
        if chance.random() < 0.1:
            time.sleep(chance.uniform(1, 3))  # down for longer: times that are missed, and too late
    with Up(place.path, place.state) as up:
        starts.heard(up)
        settled(journal)
        up.stop()
    fates = fates_of(journal, periods=PERIODS, since=since)
    told(starts, fates)
    assert fates.complaints == []
    assert fates.counts["run"] > KILLS, "the control: it ran"
    assert fates.counts["again"] > 0, "the control: it was killed while it ran"
    assert any(word.startswith("skip: ") for word in fates.counts), "the control: it could not do everything"
    assert finds_what_is_lost_and_doubled(journal, since), "the control: it would have been seen"
    assert half_written(place) == []
    assert quick_check(journal) == "ok"
    verified = assess("results", "verify", config=place.path, state=place.state)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert statistics.median(starts.cpu_s) < READY_CPU_S
    assert not left_of(place.state)


def killed_once(place: Fleet, starts: Starts, chance: random.Random) -> None:
    """It was started, and killed: sometimes before it was ready, sometimes after one of its processes."""
    with Up(place.path, place.state) as up:
        if chance.random() < 0.25:
            time.sleep(chance.uniform(0.05, 1.5))
            starts.killed["up while it starts"] += not up.of("up-ready")
            starts.killed["up"] += bool(up.of("up-ready"))
            return
        starts.heard(up)
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0, 1))
            children = children_of(up.process.pid)
            chance.shuffle(children)
            kind = next(filter(None, (kill_one(pid, parent=up.process.pid) for pid in children)), "")
            starts.killed.update([kind] if kind else [])
        time.sleep(chance.uniform(0, 1.5))
        assert up.process.poll() is None, up.text()
        starts.killed["up"] += 1


def begun(journal: Path) -> dict[str, int]:
    """Where each schedule began; they do in the first moments, before anything of them was due."""
    found = cursors(journal)
    with contextlib.closing(sqlite3.connect(journal, timeout=30)) as connection:
        firsts = dict(connection.execute(FIRSTS))
    return {name: min(at, firsts.get(name, at + 1) - 1) for name, at in found.items()}


def settled(journal: Path) -> None:
    """What others had begun, or had let wait, is over: a due time that only ever stays due would be lost as well."""
    before_us = time.time_ns() // 1000
    deadline = time.monotonic() + SETTLES_WITHIN_S
    while True:
        with contextlib.closing(sqlite3.connect(journal, timeout=30)) as connection:
            left = connection.execute("SELECT * FROM due WHERE claimed_us < ?", (before_us,)).fetchall()
        if not left:
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def finds_what_is_lost_and_doubled(journal: Path, since: dict[str, int]) -> bool:
    """In a copy from which one run was taken, and in which another is skipped, too."""
    copy = journal.with_name("copy.db")
    shutil.copyfile(journal, copy)  # nobody is up, and the last one folded its log into it
    with contextlib.closing(sqlite3.connect(copy)) as connection, connection:
        (lost, gone_us), (name, due_us) = connection.execute(
            "SELECT assessment, due_us FROM runs GROUP BY assessment LIMIT 2"
        ).fetchall()
        connection.execute("DELETE FROM runs WHERE assessment = ? AND due_us = ?", (lost, gone_us))
        connection.execute(
            "INSERT INTO skips (assessment, first_us, last_us, why, at_us) VALUES (?1, ?2, ?2, 'overlap', ?2)",
            (name, due_us),
        )
    complaints = fates_of(copy, periods=PERIODS, since=since).complaints
    copy.unlink()
    return complaints == [
        f"{lost}: {gone_us} has no fate",
        f"{name}: {due_us} has ['run', 'skip: overlap']",
    ]


def half_written(place: Fleet) -> list[str]:
    """Runs whose results are not all there: each has one for each check on each subject, or says what is missing."""
    found = []
    with Journal.open(place.state / "journal.db") as journal:
        for run in journal.runs(limit=1_000_000):
            results = journal.results(run.run_id)
            plugin = place.names[int(run.assessment.removeprefix("due-")) % PLUGINS]
            told = Counter((result.subject.id, result.check) for result in results)
            whole = Counter((f"host:{n:03}", check) for n in range(SUBJECTS) for check in checks(plugin))
            if told != whole and not (run.problem and not told - whole):
                found.append(f"{run.run_id}: {run.assessment}: {run.problem}: {dict(told)}")
    return found


def quick_check(journal: Path) -> str:
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        return str(connection.execute("PRAGMA quick_check").fetchone()[0])


def cpu_s(pid: int) -> float:
    """Of this process alone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def told(starts: Starts, fates: Fates) -> None:
    counts = ", ".join(f"{count} {what}" for what, count in fates.counts.most_common())
    print(f"\n{starts}; due times: {counts}")

"""`python -m bench.soak --minutes 60`: fifty plugins at work for an hour, and whether anything grows.

A runtime in a process of its own has an assessment due every few milliseconds; every few seconds one of its workers is
killed, for that is what happens in months; every ten seconds it is looked at from outside. The first quarter of the
time warms up and counts for nothing. The table goes to `docs/reliability.md`, between the markers of `soak`, and
samples to `--samples` as they are taken; SIGTERM and an interrupt end it early, with a table of what there is.

`--up`: the same of a real `assess up` with 500 schedules from its configuration; between the markers of `soak-up`.
"""

import argparse
import csv
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from tests.support.fleet_place import MANY, Fleet, make_fleet
from tests.support.killer import PREPARED, Killer
from tests.support.nothing_left import children_of, left_of, name_of

from bench import machine
from bench.document import replaced
from bench.place import ROOT, temporary_directory
from bench.scheduled import Became, schedule, up, what_became
from bench.trend import Trend, trend

DOCUMENT = ROOT / "docs" / "reliability.md"
EVERY_S = 10.0
PAUSE_MS = 20
"""What each call takes at least: as if something were looked at."""

LIVING = "living"
"""What the runtime's process itself says of its memory (`bench.programs.living`)."""

WARM = 0.25
"""Part of the time that does not count."""

MOST_LATE_S = 1.0
"""The goal of `--up`: the scheduler looks at least each second, so that what is later waited for something else."""

COUNTS_FROM_H = 0.7
"""Of the rest: so long, and the goals are those of an hour."""

WARMS_BY_MIB = 4.0
"""What memory may grow by in a shorter run (measured: 1.8 MiB from the 3rd to the 8th minute)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One look at the runtime. Sizes are in MiB, of the runtime's own process unless said otherwise.

    Attributes:
        resident, private: memory of the runtime: all that is mapped, and what is its own alone.
        lives, blocks: what malloc has given out of it, SQLite's pages included; thousands of blocks that Python has.
        prepared: resident memory of what workers are forked from.
        workers: proportional memory of all workers together.
        descriptors, threads, processes: of the runtime; its children, prepared ones included.
        journal, log: the journal, and its write-ahead log.
        results: recorded until now.
        cpu_s: processor time of the runtime until now.
    """

    at_s: float
    resident: float
    private: float
    lives: float
    blocks: float
    prepared: float
    workers: float
    descriptors: int
    threads: int
    processes: int
    journal: float
    log: float
    results: int
    cpu_s: float
    load: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of the table.

    Attributes:
        most_per_hour: the goal; None where growing is no fault: a forked worker makes what it shares its own as it is
            called. One thread more, or its descriptor, is one of a pool that is made when it is first needed. Ten
            thousand blocks are less than 1 MiB.
    """

    what: str
    of: Callable[[Look], float]
    unit: str
    most_per_hour: float | None


LINES = (
    Line(what="resident memory of the runtime", of=lambda look: look.resident, unit="MiB", most_per_hour=1),
    Line(what="of which its own alone", of=lambda look: look.private, unit="MiB", most_per_hour=1),
    Line(what="of which malloc has given out", of=lambda look: look.lives, unit="MiB", most_per_hour=1),
    Line(what="blocks that Python has given out", of=lambda look: look.blocks, unit="thousand", most_per_hour=10),
    Line(what="resident memory of the prepared parent", of=lambda look: look.prepared, unit="MiB", most_per_hour=1),
    Line(what="proportional memory of all workers", of=lambda look: look.workers, unit="MiB", most_per_hour=None),
    Line(what="descriptors of the runtime", of=lambda look: look.descriptors, unit="", most_per_hour=1),
    Line(what="threads of the runtime", of=lambda look: look.threads, unit="", most_per_hour=1),
    Line(what="processes below it", of=lambda look: look.processes, unit="", most_per_hour=0),
    Line(what="write-ahead log of the journal", of=lambda look: look.log, unit="MiB", most_per_hour=1),
)


def main() -> int:
    """Run, print the table, write it."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--plugins", type=int, default=MANY)
    parser.add_argument("--per-second", type=float, default=20.0, help="assessments due; not with --up")
    parser.add_argument("--up", action="store_true", help="of `assess up`, with schedules")
    parser.add_argument("--schedules", type=int, default=500, help="with --up")
    parser.add_argument("--kill-every", type=float, default=15.0, metavar="S", help="on average; 0: never")
    parser.add_argument("--samples", type=Path, help="CSV to write every look to, as it is taken")
    parser.add_argument("--no-write", action="store_true", help="leave the document as it is")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    before = machine.load()
    with temporary_directory() as directory:
        fleet = make_fleet(directory, count=arguments.plugins)
        looks: list[Look] = []
        kill_every_s = arguments.kill_every
        if arguments.up:
            schedule(fleet, arguments.schedules, pause_ms=PAUSE_MS)
            with up(fleet, witness=fleet.directory / LIVING) as runtime:
                killed = soaked(
                    looks,
                    runtime,
                    fleet,
                    minutes=arguments.minutes,
                    kill_every_s=kill_every_s,
                    samples=arguments.samples,
                )
            became = what_became(fleet, arguments.schedules)
            more, said = lateness(became), in_words(became, arguments.schedules)
        else:
            fleet.configure(plugins={name: {"settings": {"pause_ms": PAUSE_MS}} for name in fleet.names})
            with driven(fleet, per_second=arguments.per_second) as (runtime, last_words):
                killed = soaked(
                    looks,
                    runtime,
                    fleet,
                    minutes=arguments.minutes,
                    kill_every_s=kill_every_s,
                    samples=arguments.samples,
                )
            more, said = [], last_words[0]
        left = left_of(fleet.state)
    text = written(looks, killed, said, left, more, plugins=arguments.plugins, load_before=before)
    print(text, flush=True)
    if not arguments.no_write:
        document = DOCUMENT.read_text() if DOCUMENT.exists() else ""
        DOCUMENT.write_text(replaced(document, "soak-up" if arguments.up else "soak", text))
    return (
        0
        if not left
        and all(not any(word in line for word in ("**grows**", "**late**")) for line in [*verdicts(looks), *more])
        else 1
    )


@contextmanager
def driven(fleet: Fleet, *, per_second: float) -> Iterator[tuple[subprocess.Popen[bytes], list[str]]]:
    """A runtime that is always busy, and what it says at its end."""
    living = fleet.directory / LIVING
    argv = [sys.executable, "-m", "bench.programs.soaked"]
    argv += [str(fleet.path), str(fleet.state), str(per_second), str(living)]
    last_words: list[str] = []
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as runtime:
        assert runtime.stdin is not None
        assert runtime.stdout is not None
        if runtime.stdout.readline() != b"up\n":
            raise RuntimeError("the runtime did not come up")
        yield runtime, last_words
        runtime.stdin.close()
        words = runtime.stdout.read().decode().split()
        ended, latest = words if len(words) == 2 else ("no", "?")
        last_words.append(f"{ended} assessments ended; the latest began {latest} s after it was due")


def soaked(
    looks: list[Look],
    runtime: subprocess.Popen[bytes],
    fleet: Fleet,
    *,
    minutes: float,
    kill_every_s: float,
    samples: Path | None,
) -> Counter[str]:
    """Who was killed; every look is among `looks` as it is taken."""
    every_s = (0.2 * kill_every_s, 1.8 * kill_every_s) if kill_every_s else (1e9, 1e9)
    with Killer(runtime.pid, every_s=every_s, seed=random.randrange(1 << 30)) as killer:
        try:
            for look in looking(runtime, fleet, until_s=minutes * 60):
                looks.append(look)
                if samples is not None:
                    note(samples, look, first=len(looks) == 1)
        except KeyboardInterrupt:
            print("ended early", file=sys.stderr)
    return killer.killed


def looking(runtime: subprocess.Popen[bytes], fleet: Fleet, *, until_s: float) -> Iterator[Look]:
    """A look every ten seconds, at the same time after the beginning however long a look takes."""
    began = time.monotonic()
    every_s = min(EVERY_S, until_s / 12)
    for number in range(1, round(until_s / every_s) + 1):
        time.sleep(max(0.0, began + number * every_s - time.monotonic()))
        if runtime.poll() is not None:
            raise RuntimeError(f"the runtime ended with {runtime.returncode}")
        yield look_at(runtime.pid, fleet, at_s=time.monotonic() - began)


def look_at(pid: int, fleet: Fleet, *, at_s: float) -> Look:
    """What there is now."""
    children = children_of(pid)
    prepared = [child for child in children if f"{PREPARED}.py" in name_of(child)]
    status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    journal = fleet.state / "journal.db"
    log = fleet.state / "journal.db-wal"
    blocks, given = living(fleet.directory / LIVING)
    return Look(
        at_s=round(at_s, 1),
        resident=memory(pid, "Rss:"),
        private=memory(pid, "Private_Dirty:"),
        lives=given / 2**20,
        blocks=blocks / 1000,
        prepared=sum(memory(child, "Rss:") for child in prepared),
        workers=sum(memory(child, "Pss:") for child in children if child not in prepared),
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208  of another process
        threads=int(status[17]),
        processes=len(children),
        journal=journal.stat().st_size / 2**20,
        log=log.stat().st_size / 2**20 if log.exists() else 0.0,
        results=recorded(journal),
        cpu_s=(int(status[11]) + int(status[12])) / os.sysconf("SC_CLK_TCK"),
        load=machine.load(),
    )


def memory(pid: int, field: str) -> float:
    """MiB, as the kernel says; nothing of a process that is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0.0


def living(file: Path) -> tuple[int, int]:
    """The newest whole line."""
    blocks, given = file.read_text().rpartition("\n")[0].rpartition("\n")[2].split()
    return int(blocks), int(given)


def recorded(journal: Path) -> int:
    """How many results; read as any reader of the journal would, while it is written to."""
    connection = sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True, timeout=30)
    try:
        (count,) = connection.execute("SELECT max(position) FROM results").fetchone()
    finally:
        connection.close()
    return count or 0


def note(samples: Path, look: Look, *, first: bool) -> None:
    """One line more in the file."""
    with samples.open("w" if first else "a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Look)])
        if first:
            writer.writeheader()
        writer.writerow(asdict(look))


def counted(looks: Sequence[Look]) -> Sequence[Look]:
    """Those after the warming up."""
    return looks[round(len(looks) * WARM) :]


def trend_of(line: Line, looks: Sequence[Look]) -> Trend:
    return trend([look.at_s for look in looks], [line.of(look) for look in looks])


def verdicts(looks: Sequence[Look]) -> list[str]:
    """Of each line: `flat`, `**grows**`, or nothing where growing is no fault."""
    seen = counted(looks)
    found = []
    for line in LINES:
        its = trend_of(line, seen)
        found.append("" if (most := most_per_hour(line, seen)) is None else "flat" if its.flat(most) else "**grows**")
    return found


def most_per_hour(line: Line, seen: Sequence[Look]) -> float | None:
    """The goal, as it is for an hour; what is shorter is warm at its end at best, and looks for what grows quickly."""
    if line.most_per_hour is None:
        return None
    hours = (seen[-1].at_s - seen[0].at_s) / 3600
    if hours >= COUNTS_FROM_H:
        return line.most_per_hour
    return (WARMS_BY_MIB if line.unit == "MiB" else line.most_per_hour) / hours


def written(
    looks: Sequence[Look],
    killed: Counter[str],
    said: str,
    left: Sequence[str],
    more: Sequence[str],
    *,
    plugins: int,
    load_before: float,
) -> str:
    """The table with `more` of its rows, and what it was made of."""
    seen = counted(looks)
    rows = [
        "| what | after warming up | at the end | grows by | goal | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for line, verdict in zip(LINES, verdicts(looks), strict=True):
        its = trend_of(line, seen)
        unit = f" {line.unit}" if line.unit else ""
        most = most_per_hour(line, seen)
        goal = "" if most is None else f"<= {most:.3g}{unit} an hour, or noise"
        rows.append(
            f"| {line.what} | {its.first:.4g}{unit} | {its.last:.4g}{unit} | "
            f"{its.per_hour:+.3g} +- {2 * its.error:.2g}{unit} an hour | {goal} | {verdict} |"
        )
    halves = [bytes_per_result(part) for part in (seen[: len(seen) // 2], seen[len(seen) // 2 :])]
    ratio = halves[1] / halves[0] if halves[0] else float("nan")
    rows.append(
        f"| journal, for each result | {halves[0]:.0f} bytes | {halves[1]:.0f} bytes | {ratio - 1:+.1%} | <= +2% | "
        f"{'flat' if ratio <= 1.02 else '**grows**'} |"
    )
    rows += more
    took_s = looks[-1].at_s
    busy = (looks[-1].cpu_s - looks[0].cpu_s) / (looks[-1].at_s - looks[0].at_s)
    died = ", ".join(f"{count} {kind}" for kind, count in sorted(killed.items())) or "nobody"
    run = (
        f"{took_s / 60:.0f} minutes, {len(looks)} looks, of which the last {len(seen)} count; {plugins} plugins, "
        f"{said}; {looks[-1].results:,} results recorded; killed: {died}; the runtime used {busy:.0%} of a core."
    )
    after = f"Left of it afterwards: {'; '.join(left) or 'no process, no lock, no scratch directory'}."
    where = (
        f"{datetime.now(UTC):%Y-%m-%d}, {machine.description()}; load average {load_before:.2f} before, "
        f"{machine.load():.2f} after."
    )
    notes = (textwrap.fill(f"- {note}", width=118, subsequent_indent="  ") for note in (run, after, where))
    return "\n".join([*rows, "", *notes]) + "\n"


def lateness(became: Became) -> list[str]:
    """The row about it: with everything from one file, on two cores that also do the work."""
    late = became.late(0.99)
    verdict = "kept" if late <= MOST_LATE_S else "**late**"
    half = became.late(0.5)
    return [
        f"| lateness of a start, median and p99 | {half:.3f} s | {late:.3f} s |  | <= {MOST_LATE_S:g} s | {verdict} |"
    ]


def in_words(became: Became, schedules: int) -> str:
    """What became of all that was due."""
    skips = ", ".join(f"{count} {why}" for why, count in sorted(became.skipped.items())) or "none"
    return (
        f"{schedules} schedules from a file of {became.file_kib:.0f} KiB, {became.runs} runs recorded, {became.again} "
        f"of them begun again, {became.incomplete} incomplete; skipped: {skips}"
    )


def bytes_per_result(looks: Sequence[Look]) -> float:
    """What a result takes on the disk, of those that were recorded between the first and the last of these looks."""
    more = looks[-1].results - looks[0].results
    return (looks[-1].journal - looks[0].journal) * 2**20 / more if more else 0.0


if __name__ == "__main__":
    sys.exit(main())

"""From nothing to a worker's first reply, and what an idle worker weighs."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from tests.support.killer import PREPARED
from tests.support.nothing_left import name_of

from assess_core.host import HostConfig, Supervisor
from assess_core.store import InstalledPlugin, running_interpreter
from bench.effort import Effort
from bench.peers import children, process
from bench.place import PROGRAMS, bench_plugin, place
from bench.roundtrip import given
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, ratio

TITLE = "Start and weight of a worker"
NOTES = """
Of assess: from `Supervisor.start` to `loaded`, which says that the plugin was imported and its hooks found; then a
first call with a kibibyte in and four out. The worker is isolated. Forked from a prepared parent, which is how workers
are started (`runtime.start_workers`), or spawned, as the first of a loop is, and one that takes the place of a dead
one. A forked one is weighed beside its prepared parent, which is there once and not in its row.

multiprocessing runs in a process of its own with the base interpreter, so that its child imports next to nothing.
"""

WAYS: Mapping[str, Callable[[HostConfig], HostConfig]] = {
    "fork": lambda host: replace(host, start_workers="fork"),
    "spawn": lambda host: replace(host, start_workers="spawn"),
}
"""How workers are started, by name: what to make of the configuration for it."""

BY_DEFAULT = "fork"

WARM = 3
"""Rounds that fill the file cache, and at whose end a parent to fork from is prepared."""

FIRST_BYTE = "import os; os.write(1, b'x'); os.read(0, 1)"
"""Also stays until its stdin ends, to be weighed."""


def run(effort: Effort) -> Report:
    """Starts alternately, then weighs one of each."""
    with place([bench_plugin()]) as here:
        installed, host = here.installed("bench-plugin"), here.host()
        python = str(running_interpreter().path)
        taken = asyncio.run(_starts(installed, host, python, effort.of(40, 3)))
        weights = {way: asyncio.run(_weigh(installed, made(host), python)) for way, made in WAYS.items()}
    bare, spawned = taken.pop("bare"), taken.pop("multiprocessing")
    rows = [row for way in WAYS for row in _rows(way, taken, bare, spawned)]
    rows += [
        Row(
            what=f"idle worker, {name} ({way})",
            ours=mine,
            peer="`python -I -S`",
            theirs=theirs,
            measured=mine if goal else None,
            goal=goal if way == BY_DEFAULT else None,
        )
        for way, weighed in weights.items()
        for name, mine, theirs, goal in weighed
    ]
    return Report(rows=tuple(rows), notes=paragraphs(NOTES))


def _rows(way: str, taken: Mapping[str, Sample], bare: Sample, spawned: Sample) -> tuple[Row, ...]:
    loaded, called = taken[f"{way} loaded"], taken[f"{way} called"]
    peer, other = "`python -I -S`, first byte", "multiprocessing spawn, first reply"
    five, one = Goal(limit=5, unit="x"), Goal(limit=1, unit="x")
    what = f"start to loaded ({way})"
    return (
        Row(what=what, ours=loaded, peer=peer, theirs=bare, measured=ratio(loaded, bare), goal=five),
        Row(what=what, ours=loaded, peer=other, theirs=spawned, measured=ratio(loaded, spawned), goal=one),
        Row(
            what=f"start to the reply of a first call ({way})",
            ours=called,
            peer=other,
            theirs=spawned,
            measured=ratio(called, spawned),
            goal=one,
        ),
    )


async def _starts(installed: InstalledPlugin, host: HostConfig, python: str, rounds: int) -> dict[str, Sample]:
    """In one loop, as a runtime has: what a loop starts first is spawned in any case, and counts for nothing."""
    taken: dict[str, list[float]] = {}
    with process([python, str(PROGRAMS / "mp_spawn.py")]) as starter:
        for _ in range(rounds + WARM):
            values = {"bare": _bare(python), "multiprocessing": _spawned(starter)}
            for way, made in WAYS.items():
                values[f"{way} loaded"], values[f"{way} called"] = await _start(installed, made(host))
            for kept, value in values.items():
                taken.setdefault(kept, []).append(value * 1000)
    return {kept: Sample(unit="ms", values=tuple(values[WARM:])) for kept, values in taken.items()}


async def _start(installed: InstalledPlugin, host: HostConfig) -> tuple[float, float]:
    started = perf_counter()
    supervisor = Supervisor(installed, host)
    await supervisor.start()
    loaded = perf_counter() - started
    await supervisor.execute("bench", given(), timeout_s=30)
    called = perf_counter() - started
    await supervisor.stop()
    return loaded, called


def _bare(python: str) -> float:
    started = perf_counter()
    with process([python, "-I", "-S", "-c", FIRST_BYTE]) as child:
        assert child.stdout is not None
        child.stdout.read(1)
        return perf_counter() - started


def _spawned(starter: subprocess.Popen[bytes]) -> float:
    assert starter.stdin is not None
    assert starter.stdout is not None
    starter.stdin.write(b"\n")
    starter.stdin.flush()
    return float(starter.stdout.readline())


async def _weigh(
    installed: InstalledPlugin, host: HostConfig, python: str
) -> list[tuple[str, Sample, Sample, Goal | None]]:
    for _ in range(WARM):
        await _start(installed, host)
    supervisor = Supervisor(installed, host)
    await supervisor.start()
    try:
        await supervisor.execute("bench", given(), timeout_s=30)
        (worker,) = (pid for pid in children() if f"{PREPARED}.py" not in name_of(pid))
        with process([python, "-I", "-S", "-c", FIRST_BYTE]) as bare:
            assert bare.stdout is not None
            bare.stdout.read(1)
            return [
                ("resident (RSS)", memory(worker, "Rss"), memory(bare.pid, "Rss"), Goal(limit=16, unit="MiB")),
                ("proportional (PSS)", memory(worker, "Pss"), memory(bare.pid, "Pss"), None),
            ]
    finally:
        await supervisor.stop()


def memory(pid: int, field: str) -> Sample:
    """What the kernel says it weighs; `Rss` or `Pss`."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return Sample(unit="MiB", values=(int(line.split()[1]) / 1024,))
    raise RuntimeError(f"{sys.platform} does not say {field} of process {pid}")

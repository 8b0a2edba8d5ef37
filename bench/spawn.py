"""From nothing to a worker's first reply, and what an idle worker weighs."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

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
first call with a kibibyte in and four out. The worker is isolated.

multiprocessing runs in a process of its own with the base interpreter, so that its child imports next to nothing.
"""

WAYS: Mapping[str, Callable[[HostConfig], HostConfig]] = {"spawn": lambda host: host}
"""How workers are started, by name: what to make of the configuration for it."""

FIRST_BYTE = "import os; os.write(1, b'x'); os.read(0, 1)"
"""Also stays until its stdin ends, to be weighed."""


def run(effort: Effort) -> Report:
    """Starts alternately, then weighs one of each."""
    with place([bench_plugin()]) as here:
        installed, host = here.installed("bench-plugin"), here.host()
        python = str(running_interpreter().path)
        ours, called, bare, spawned = _starts(installed, host, python, effort.of(40, 3))
        weights = asyncio.run(_weigh(installed, host, python))
    rows = (
        Row(
            what="spawn to loaded",
            ours=ours,
            peer="`python -I -S`, first byte",
            theirs=bare,
            measured=ratio(ours, bare),
            goal=Goal(limit=5, unit="x"),
        ),
        Row(
            what="spawn to loaded",
            ours=ours,
            peer="multiprocessing spawn, first reply",
            theirs=spawned,
            measured=ratio(ours, spawned),
            goal=Goal(limit=1, unit="x"),
        ),
        Row(
            what="spawn to the reply of a first call",
            ours=called,
            peer="multiprocessing spawn, first reply",
            theirs=spawned,
            measured=ratio(called, spawned),
            goal=Goal(limit=1, unit="x"),
        ),
        *(
            Row(
                what=f"idle worker, {name}",
                ours=mine,
                peer="`python -I -S`",
                theirs=theirs,
                measured=mine if goal else None,
                goal=goal,
            )
            for name, mine, theirs, goal in weights
        ),
    )
    return Report(
        rows=rows,
        notes=paragraphs(NOTES),
    )


def _starts(installed: InstalledPlugin, host: HostConfig, python: str, rounds: int) -> tuple[Sample, ...]:
    taken: tuple[list[float], ...] = ([], [], [], [])
    with process([python, str(PROGRAMS / "mp_spawn.py")]) as starter:
        for _ in range(rounds + 1):
            loaded, called = asyncio.run(_start(installed, host))
            values = loaded, called, _bare(python), _spawned(starter)
            for kept, value in zip(taken, values, strict=True):
                kept.append(value * 1000)
    return tuple(Sample(unit="ms", values=tuple(kept[1:])) for kept in taken)  # the first round warms the file cache


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
    supervisor = Supervisor(installed, host)
    await supervisor.start()
    try:
        await supervisor.execute("bench", given(), timeout_s=30)
        (worker,) = children()
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

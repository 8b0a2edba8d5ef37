"""Fifty plugins: started at once, and idle."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tests.support.fleet_place import MANY, one_of_many
from tests.support.killer import PREPARED
from tests.support.nothing_left import name_of

from assess_core.host import HostConfig, Supervisor
from assess_core.store import InstalledPlugin, running_interpreter
from bench.effort import Effort
from bench.peers import children, process
from bench.place import PROGRAMS, place
from bench.rows import Goal, Report, Row, paragraphs
from bench.spawn import BY_DEFAULT, WAYS, memory
from bench.stats import Sample, Unit, ratio

TITLE = "Many plugins"
NOTES = """
{count} plugins, each installed in an environment of its own and isolated. Started at once: from the first
`Supervisor.start` to the last `loaded`; multiprocessing's processes import next to nothing, answer once, and share one
program. All rounds alternately.

The longest stop is that of a task in the same loop that wants to run every {tick} ms, while all are started; beside it
the same task in a loop that does nothing for as long: what the machine, and others on it, take.

Memory is that of all workers together when all are loaded, as the kernel divides what is shared
(PSS), with the prepared parent. Processor time is of the runtime, its workers and the prepared parent together, over
{idle} s in which nobody asks for anything.
"""

TICK_MS = 2
IDLE_S = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What one round took."""

    wall_s: float
    longest_stop_s: float
    pss_mib: float
    idle: float


def run(effort: Effort) -> Report:
    """Rounds of each way of starting, and of multiprocessing's, alternately; idle is measured in the last."""
    count, rounds, idle_s = effort.of(MANY, 4), effort.of(4, 1), effort.of(IDLE_S, 1)
    wheels = [one_of_many(f"many-{number:02}") for number in range(count)]
    python = str(running_interpreter().path)
    with place(wheels) as here:
        installed, host = [here.installed(wheel.name) for wheel in wheels], here.host()
        taken: dict[str, list[Taken]] = {way: [] for way in WAYS}
        spawned: list[tuple[float, float]] = []
        for number in range(rounds + 1):
            for way in WAYS:
                measured = asyncio.run(_start_all(installed, WAYS[way](host), idle_s if number == rounds else 0))
                taken[way].append(measured)
            spawned.append(_multiprocessing(python, count))
        floor = [asyncio.run(_nothing(max(each.wall_s for each in taken[BY_DEFAULT]))) for _ in range(rounds + 1)]
    return _report({way: values[1:] for way, values in taken.items()}, spawned[1:], floor[1:], count)


def _report(
    taken: dict[str, list[Taken]], spawned: Sequence[tuple[float, float]], floor: Sequence[float], count: int
) -> Report:
    theirs, their_pss = _sample("ms", (1000 * wall for wall, _ in spawned)), _sample("MiB", (pss for _, pss in spawned))
    idle_loop = _sample("ms", (1000 * stop for stop in floor))
    rows = []
    for way, values in taken.items():
        wall = _sample("ms", (1000 * each.wall_s for each in values))
        stop = _sample("ms", (1000 * each.longest_stop_s for each in values))
        pss = _sample("MiB", (each.pss_mib for each in values))
        ours = way == BY_DEFAULT
        rows += [
            Row(
                what=f"{count} started at once ({way})",
                ours=wall,
                peer="multiprocessing spawn, first replies",
                theirs=theirs,
                measured=ratio(wall, theirs),
                goal=Goal(limit=1, unit="x") if ours else None,
            ),
            Row(
                what=f"meanwhile, longest stop of the loop ({way})",
                ours=stop,
                peer="an idle loop",
                theirs=idle_loop,
                measured=stop,
                goal=Goal(limit=20, unit="ms") if ours else None,
            ),
            Row(
                what=f"{count} idle, memory ({way})",
                ours=pss,
                peer="multiprocessing spawn",
                theirs=their_pss,
                measured=ratio(pss, their_pss),
            ),
            Row(what=f"{count} idle, processor ({way})", ours=_sample("%", (100 * values[-1].idle,))),
        ]
    return Report(rows=tuple(rows), notes=paragraphs(NOTES, count=count, tick=TICK_MS, idle=IDLE_S))


def _sample(unit: Unit, values: Iterable[float]) -> Sample:
    return Sample(unit=unit, values=tuple(values))


async def _start_all(installed: Sequence[InstalledPlugin], host: HostConfig, idle_s: float) -> Taken:
    supervisors = [Supervisor(each, host) for each in installed]
    try:
        async with _Ticking() as ticking:
            began = perf_counter()
            await asyncio.gather(*(supervisor.start() for supervisor in supervisors))
            wall_s = perf_counter() - began
        below = children()
        pss = sum(memory(pid, "Pss").median for pid in below)
        idle = await _used_while_idle(below, idle_s) if idle_s else 0.0
        workers = [pid for pid in below if f"{PREPARED}.py" not in name_of(pid)]
        if len(workers) != len(installed):
            raise RuntimeError(f"{len(workers)} workers of {len(installed)} plugins")
        return Taken(wall_s=wall_s, longest_stop_s=ticking.longest_s, pss_mib=pss, idle=idle)
    finally:
        await asyncio.gather(*(supervisor.stop() for supervisor in supervisors))


async def _nothing(for_s: float) -> float:
    async with _Ticking() as ticking:
        await asyncio.sleep(for_s)
    return ticking.longest_s


class _Ticking:
    """A task that wants to run every few milliseconds, and how much too late it was at worst."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def __aenter__(self) -> "_Ticking":
        self._task = asyncio.create_task(self._tick())
        await asyncio.sleep(0.05)
        self.longest_s = 0.0
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(TICK_MS / 1000)  # let it see a stop that has just ended
        self._task.cancel()

    async def _tick(self) -> None:
        while True:
            began = perf_counter()
            await asyncio.sleep(TICK_MS / 1000)
            self.longest_s = max(self.longest_s, perf_counter() - began - TICK_MS / 1000)


async def _used_while_idle(below: Sequence[int], for_s: float) -> float:
    """Of one core."""
    pids = [os.getpid(), *below]
    before = sum(_cpu_s(pid) for pid in pids)
    await asyncio.sleep(for_s)
    return (sum(_cpu_s(pid) for pid in pids) - before) / for_s


def _cpu_s(pid: int) -> float:
    """All its threads', to the nanosecond (schedstat of each thread; a tick would be more than it uses)."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def _multiprocessing(python: str, count: int) -> tuple[float, float]:
    with process([python, str(PROGRAMS / "mp_many.py"), str(count)]) as starter:
        assert starter.stdout is not None
        wall_s = float(starter.stdout.readline())
        listed = Path(f"/proc/{starter.pid}/task/{starter.pid}/children").read_text().split()
        helper = [pid for pid in listed if "resource_tracker" in name_of(int(pid))]
        return wall_s, sum(memory(int(pid), "Pss").median for pid in listed if pid not in helper)

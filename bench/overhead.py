"""A whole assessment - provider, process, pipe, results, journal - beside the same plugin code called in-process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

from assess_core.assessing.execute import execute
from assess_core.assessing.fleet import Fleet, sorted_out
from assess_core.assessing.plan import Callee, Task, callees_of
from assess_core.assessing.recording import Directly
from assess_core.assessing.side_by_side import assess
from assess_core.assessing.values import Context
from assess_core.host import Supervisor
from assess_core.host.turns import Turns
from assess_core.journal import Evidence, Journal
from assess_core.store import InstalledPlugin
from assess_core.store.leases import Lease
from assess_plugin.models import ActionInput, EvaluateInput, Host
from assess_registry.client import PluginName
from bench.effort import Effort, seconds
from bench.place import Place, bench_plugin, place
from bench.programs import bench_plugin as plugin_code
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, combined, difference, excess

TITLE = "Overhead of the runtime"
NOTES = """
A call is one subject with {checks} checks. The whole runtime includes starting and ending the plugin's process, asking
the provider, and committing every result to the journal.

The {pause} ms are `time.sleep`; these checks run on {subjects} subjects instead of 100 to keep the run short, which
makes the process's start weigh the more.
"""
CHECKS = len(plugin_code.CHECKS)
PAUSE_MS = 5


class SilentHost:
    """The host of a plugin that is called directly: hears everything, does nothing."""

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Nobody is told."""

    @contextmanager
    def attribute(self, check_id: str) -> Iterator[None]:  # noqa: ARG002  the port's form
        """Nothing is recorded."""
        yield


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """The plugin, installed, and what a run of it needs."""

    place: Place
    installed: InstalledPlugin

    def task(self, *, subjects: int, pause_ms: int) -> Task:
        """Sixty checks on so many subjects."""
        settings = self.installed.manifest.setting_values({"pause_ms": pause_ms})
        return Task(
            assessment="bench",
            plugin=Callee(installed=self.installed, name=PluginName("bench"), settings=settings),
            provider=Callee(installed=self.installed, name=PluginName("bench-subjects"), settings=settings),
            selector={"count": subjects},
            checks=tuple(spec for spec in self.installed.manifest.checks if spec.id in plugin_code.CHECKS),
            subjects=(),
            timeout_s=60,
        )

    def whole(self, task: Task, journal: Journal) -> None:
        """What `assess run` does between planning and printing."""
        asyncio.run(self._assess(task, journal))

    async def _assess(self, task: Task, journal: Journal) -> None:
        fleet = Fleet(self.place.host(), lease=lambda installed: Lease(installed.environment, None), turns=Turns(8))
        try:
            made, missing = sorted_out(await fleet.make(callees_of([task]), started=False))
            _require(len(missing), 0)
            fleet.swap(made)
            run = await assess([task], fleet=fleet, recorder=Directly(journal), context=context())
            _require(len(run.results), task.selector["count"] * CHECKS)
        finally:
            await fleet.stop()


def context() -> Context:
    """A runtime that tells nobody."""
    return Context(
        runtime="bench",
        labels={},
        registry="development",
        clock=lambda: datetime.now(UTC),
        notify=lambda _assessment, _event: None,
    )


def in_process(task: Task) -> None:
    """The same code on the same subjects without any of ours."""
    host: Host | Any = SilentHost()
    found = plugin_code.provider.assess_evaluate(EvaluateInput(selector=task.selector, runtime="bench"))
    ids = tuple(spec.id for spec in task.checks)
    results = 0
    for subject in found.subjects:
        output = plugin_code.plugin.assess_execute(
            ActionInput(subject=subject, checks=ids, settings=task.plugin.settings, host=host)
        )
        results += len(output.results)
    _require(results, task.selector["count"] * CHECKS)


def run(effort: Effort) -> Report:
    """Both ways, once with checks that take time and once with checks that take none."""
    with place([bench_plugin()]) as here:
        bench = Bench(place=here, installed=here.installed("bench-plugin"))
        slow = bench.task(subjects=effort.of(10, 1), pause_ms=PAUSE_MS)
        empty = bench.task(subjects=100, pause_ms=0)
        with Journal.open(_fresh(bench, "warm-up.db")) as journal:
            bench.whole(empty, journal)
        rows = [*_slow(bench, slow, effort.of(3, 1)), *_empty(bench, empty, effort.of(11, 2))]
    return Report(
        rows=tuple(rows),
        notes=paragraphs(NOTES, checks=CHECKS, pause=PAUSE_MS, subjects=slow.selector["count"]),
    )


def _slow(bench: Bench, task: Task, rounds: int) -> list[Row]:
    whole, direct = _alternate(bench, task, rounds)
    return [
        Row(
            what=f"{CHECKS} checks of {PAUSE_MS} ms x {task.selector['count']} subjects",
            ours=whole,
            peer="in-process",
            theirs=direct,
            measured=excess(whole, direct),
            goal=Goal(limit=10, unit="%", text="<= 10 % more"),
        )
    ]


def _empty(bench: Bench, task: Task, rounds: int) -> list[Row]:
    whole, direct = _alternate(bench, task, rounds)
    calls = task.selector["count"]
    per_call = combined(whole, direct, "us", lambda one, other: (one - other) * 1000 / calls)
    rows = [
        Row(
            what=f"{CHECKS} checks of no time x {calls} subjects",
            ours=whole,
            peer="in-process",
            theirs=direct,
            measured=difference(whole, direct),
        ),
        Row(
            what="the same, more for each call",
            ours=whole.scaled(1000 / calls, "us"),
            peer="in-process",
            theirs=direct.scaled(1000 / calls, "us"),
            measured=per_call,
            goal=Goal(limit=150, unit="us", text="<= 150 us a call"),
        ),
        Row(
            what="the same, more for each check",
            ours=whole.scaled(1000 / calls / CHECKS, "us"),
            peer="in-process",
            theirs=direct.scaled(1000 / calls / CHECKS, "us"),
            measured=per_call.scaled(1 / CHECKS, "us"),
        ),
    ]
    stages = [asyncio.run(_stages(bench, task, number)) for number in range(rounds)]
    for name in stages[0]:
        sample = Sample(unit="us", values=tuple(stage[name] * 1e6 / calls for stage in stages))
        rows.append(Row(what=f"of which a call: {name}", ours=sample))
    return rows


def _alternate(bench: Bench, task: Task, rounds: int) -> tuple[Sample, Sample]:
    whole, direct = [], []
    for number in range(rounds):
        with Journal.open(_fresh(bench, f"{task.selector['count']}-{number}.db")) as journal:
            whole.append(_timed_whole(bench, task, journal) * 1000)
        direct.append(seconds(lambda: in_process(task)) * 1000)
    return Sample(unit="ms", values=tuple(whole)), Sample(unit="ms", values=tuple(direct))


def _timed_whole(bench: Bench, task: Task, journal: Journal) -> float:
    return seconds(lambda: bench.whole(task, journal))


async def _stages(bench: Bench, task: Task, number: int) -> dict[str, float]:
    """Seconds that each stage takes for all calls, one after another."""
    supervisor = Supervisor(bench.installed, bench.place.host())
    marks = [perf_counter()]
    await supervisor.start()
    marks.append(perf_counter())
    for index in range(task.selector["count"]):
        given = ActionInput(
            subject=plugin_code.subject(index),
            checks=tuple(spec.id for spec in task.checks),
            settings=task.plugin.settings,
        )
        await supervisor.execute("bench", given, timeout_s=60)
    marks.append(perf_counter())
    hosts = {bench.installed.distribution: supervisor}
    executed = await execute(task, hosts=hosts, context=context(), due_at=datetime.now(UTC), keep=_no_evidence)
    marks.append(perf_counter())
    await supervisor.stop()
    marks.append(perf_counter())
    with Journal.open(_fresh(bench, f"stages-{number}.db")) as journal:
        opened = perf_counter()
        journal.record(executed.run, executed.results, {})
        committed = perf_counter() - opened
    start, calls, results, stop = (after - before for before, after in pairwise(marks))
    return {
        "start and end of the process, shared by all calls": start + stop,
        "plugin, pipe and its messages": calls,
        "results made of them": results - calls,
        "journal": committed,
    }


async def _no_evidence(evidence: Evidence) -> None:
    raise AssertionError(f"the plugin of this benchmark hands over no evidence, but {sorted(evidence)}")


def _fresh(bench: Bench, name: str) -> Path:
    return bench.place.directory / "journals" / name


def _require(got: int, expected: int) -> None:
    if got != expected:
        raise RuntimeError(f"expected {expected} results, got {got}")

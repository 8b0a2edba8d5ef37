"""One plugin that misbehaves among fifty: what the others notice."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from tests.support.fleet_place import MANY, SETTINGS
from tests.support.fleet_place import SOURCE as NEIGHBOUR
from tests.support.installed import PROGRAMS, host_config, make_installed

from assess_core.errors import PluginFault
from assess_core.host import HostConfig, Supervisor
from assess_core.host.standing import Policy
from assess_core.store import InstalledPlugin
from assess_plugin import ActionInput, Subject
from bench.effort import Effort
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, ratio

TITLE = "Neighbours of a plugin that misbehaves"
NOTES = """
{others} plugins, {rate} calls a second to them together, each of which sleeps {pause} ms; a call's time counts from
when it was due. Beside them one that misbehaves again and again, in calls of {timeout} s: it is never quarantined, and
started again {backoff} s after each end. {seconds} s without it and {seconds} s with it in turns, {rounds} rounds.

One that floods or eats takes a core while it does.
"""

OFFENCES: Mapping[str, tuple[str, str]] = {
    "hangs in its calls": ("call", "hangs"),
    "floods its output": ("call", "floods"),
    "tries to fork twice": ("call", "forks"),
    "stops itself (SIGSTOP)": ("call", "stops"),
    "eats memory": ("call", "eats"),
    "crashes in its calls": ("call", "crashes"),
    "dies in the middle of a message": ("frame", "exits"),
    "dies while it is loaded": ("load", "exits"),
    "hangs in shutdown": ("shutdown", "hangs"),
}
"""What is said of it -> phase and deed (`tests/support/plugins/offends.py`)."""

PER_SECOND = 25
PAUSE_MS = 10
TIMEOUT_S = 1.0
BACKOFF_S = 0.2
RELENTLESS = Policy(backoff_s=BACKOFF_S, most_backoff_s=BACKOFF_S, deaths=1 << 30, starts=1 << 30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Noticed:
    """What the neighbours noticed: the 95th percentile of their calls, without the offender and with it, in ms."""

    without: Sample
    beside: Sample
    offences: int


def run(effort: Effort) -> Report:
    """Each offence in turn."""
    others, rounds, seconds = effort.of(MANY - 1, 3), effort.of(3, 1), effort.of(6, 1)
    chosen = OFFENCES if not effort.quick else dict(list(OFFENCES.items())[:2])
    found = {
        what: asyncio.run(noticed(*offence, others=others, rounds=rounds, seconds=seconds))
        for what, offence in chosen.items()
    }
    rows = tuple(
        Row(
            what=f"p95 of a call beside one that {what}",
            ours=seen.beside,
            peer="without it",
            theirs=seen.without,
            measured=ratio(seen.beside, seen.without),
            goal=Goal(limit=1.2, unit="x"),
        )
        for what, seen in found.items()
    )
    notes = paragraphs(
        NOTES,
        others=others,
        rate=PER_SECOND,
        pause=PAUSE_MS,
        timeout=TIMEOUT_S,
        backoff=BACKOFF_S,
        seconds=seconds,
        rounds=rounds,
    )
    return Report(rows=rows, notes=notes)


async def noticed(phase: str, deed: str, *, others: int, rounds: int, seconds: float) -> Noticed:
    """Neighbours at a fixed rate, alternately alone and beside one offender.

    Raises:
        PluginFault: a neighbour's call failed.
    """
    without, beside, offences = [], [], 0
    async with AsyncExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assess-bench-")))
        root.chmod(0o755)
        config = host_config(root, stop_timeout_s=TIMEOUT_S, start_timeout_s=15.0)
        neighbours = [Supervisor(_neighbour(root, number), config) for number in range(others)]
        for each in neighbours:
            stack.push_async_callback(each.stop)
        await asyncio.gather(*(each.start() for each in neighbours))
        await _p95(neighbours, len(neighbours) / PER_SECOND)
        offender = _offender(root, phase, deed)
        for _ in range(rounds):
            without.append(await _p95(neighbours, seconds))
            async with _offending(offender, config, phase) as count:
                beside.append(await _p95(neighbours, seconds))
            offences += count[0]
    return Noticed(
        without=Sample(unit="ms", values=tuple(without)),
        beside=Sample(unit="ms", values=tuple(beside)),
        offences=offences,
    )


async def _p95(neighbours: list[Supervisor], seconds: float) -> float:
    taken: list[float] = []

    async def call(one: Supervisor, due: float) -> None:
        await one.execute("many", _given(pause_ms=PAUSE_MS, gate=""), timeout_s=30)
        taken.append(perf_counter() - due)

    began = perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(max(4, round(seconds * PER_SECOND))):
            due = began + number / PER_SECOND
            await asyncio.sleep(max(0.0, due - perf_counter()))
            group.create_task(call(neighbours[number % len(neighbours)], due))
    return quantiles(taken, n=20, method="inclusive")[-1] * 1000


@asynccontextmanager
async def _offending(installed: InstalledPlugin, config: HostConfig, phase: str) -> AsyncIterator[list[int]]:
    count = [0]

    async def offend() -> None:
        while True:
            supervisor = Supervisor(installed, config, policy=RELENTLESS)
            try:
                while True:
                    with suppress(PluginFault):
                        await supervisor.execute("it", _given(), timeout_s=TIMEOUT_S)
                    count[0] += 1
                    if phase == "shutdown":
                        break
                    await asyncio.sleep(0.01)
            finally:
                await supervisor.stop()

    task = asyncio.create_task(offend())
    try:
        yield count
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _neighbour(root: Path, number: int) -> InstalledPlugin:
    return make_installed(
        root,
        {"many": NEIGHBOUR},
        plugins={"many": "many:plugin"},
        distribution=f"many-{number:02}",
        settings=SETTINGS,
    )


def _offender(root: Path, phase: str, deed: str) -> InstalledPlugin:
    source = (PROGRAMS / "offends.py").read_text()
    source = source.replace('PHASE, DEED = "never", "nothing"', f'PHASE, DEED = "{phase}", "{deed}"')
    return make_installed(
        root,
        {"offends": source},
        plugins={"it": "offends:plugin"},
        distribution="offender",
        settings="[limits]\nmemory_mib = 96\n",
    )


def _given(**settings: object) -> ActionInput:
    return ActionInput(subject=Subject(id="x", type="component", title="x"), checks=("many-loads",), settings=settings)

"""One call of a plugin, a kibibyte in and four of findings out, beside gRPC with the same JSON."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from assess_core.host import Supervisor
from assess_core.store import InstalledPlugin
from assess_plugin.models import ActionInput
from bench.effort import Effort
from bench.machine import versions
from bench.peers import EchoPeer, GrpcPeer, children, echo_peer, encode, grpc_peer
from bench.place import Place, bench_plugin, place
from bench.programs import bench_plugin as plugin_code
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, ratio

TITLE = "Round trip of a call"
NOTES = """
{request} bytes in, {reply} bytes out. Of assess: `Supervisor.execute`, from values to checked values, through asyncio,
msgspec, the pipe, the worker's json, pluggy and the plugin. Of gRPC: a blocking unary call on a unix socket, json on
both ends, to a handler in another Python process with the same plugin; nothing is checked there.

Calls a second: {in_flight} in flight, to {processes} processes on either side, or to {in_flight} workers.
"""
IN_FLIGHT = 32
PROCESSES = 2

Call = Callable[[], Awaitable[object]]


def given() -> ActionInput:
    """A call's input that is a kibibyte when it is encoded."""
    props = {f"prop-{number}": "a value of a subject's property, " * 2 for number in range(8)}
    settings = {"pause_ms": 0, "greeting": "hello"}
    subject = replace(plugin_code.subject(0), props=props)
    return ActionInput(subject=subject, checks=plugin_code.FINDINGS, settings=settings)


def request_document() -> dict[str, object]:
    """The same as a peer gets it."""
    input = given()
    subject = {"id": input.subject.id, "type": input.subject.type, "title": input.subject.title}
    return {
        "type": "execute",
        "call": 1,
        "entry": "bench",
        "subject": {**subject, "labels": {}, "props": dict(input.props)},
        "checks": list(input.checks),
        "settings": dict(input.settings),
    }


def sizes() -> tuple[int, int]:
    """Bytes of the request and of the reply, as JSON."""
    output = plugin_code.plugin.assess_execute(given())
    results = [{field.name: getattr(result, field.name) for field in fields(result)} for result in output.results]
    reply = {"type": "executed", "call": 1, "more": False, "results": results}
    return len(encode(request_document())), len(encode(reply))


def run(effort: Effort) -> Report:
    """Latency on all cores and on one, then calls a second."""
    with place([bench_plugin()]) as here:
        rows = asyncio.run(_run(here, here.installed("bench-plugin"), effort))
    request, reply = sizes()
    return Report(
        rows=tuple(rows),
        notes=paragraphs(NOTES, request=request, reply=reply, in_flight=IN_FLIGHT, processes=PROCESSES),
        versions=versions("grpcio", "msgspec"),
    )


async def _run(here: Place, installed: InstalledPlugin, effort: Effort) -> list[Row]:
    request, reply = sizes()
    with ExitStack() as stack:
        echo = stack.enter_context(echo_peer(request=request, reply=reply))
        servers = [stack.enter_context(grpc_peer(here.directory, f"grpc-{n}")) for n in range(PROCESSES)]
        supervisor = Supervisor(installed, here.host())
        await supervisor.start()
        try:
            everywhere = await _latency(supervisor, servers[0], echo, effort)
            with _on_one_core([echo.pid, servers[0].pid, *children()]):
                on_one = await _latency(supervisor, servers[0], echo, effort)
        finally:
            await supervisor.stop()
        few = await _throughput(here, installed, servers, PROCESSES, effort)
        many = await _throughput(here, installed, servers, IN_FLIGHT, effort)
    return [
        *_latency_rows("p50", everywhere, Goal(limit=1 / 4, unit="x", text="<= 1/4 (0.25x)")),
        *_latency_rows("p50, all processes on one core", on_one, Goal(limit=1 / 5, unit="x", text="<= 1/5 (0.2x)")),
        _throughput_row(f"calls a second, {PROCESSES} workers", few),
        _throughput_row(f"calls a second, {IN_FLIGHT} workers", many),
    ]


def _latency_rows(what: str, taken: Sequence[Sample], goal: Goal) -> list[Row]:
    ours, theirs, floor = taken
    return [
        Row(what=what, ours=ours, peer="gRPC", theirs=theirs, measured=ratio(ours, theirs), goal=goal),
        Row(what=what, ours=ours, peer="bare socketpair", theirs=floor, measured=ratio(ours, floor)),
    ]


def _throughput_row(what: str, taken: Sequence[Sample]) -> Row:
    ours, theirs = taken
    goal = Goal(limit=5, unit="x", at_least=True)
    return Row(what=what, ours=ours, peer="gRPC", theirs=theirs, measured=ratio(ours, theirs), goal=goal)


async def _latency(supervisor: Supervisor, server: GrpcPeer, echo: EchoPeer, effort: Effort) -> tuple[Sample, ...]:
    """p50 of each round in us: assess, gRPC, floor."""
    input, document = given(), request_document()

    async def ours() -> object:
        return await supervisor.execute("bench", input, timeout_s=30)

    async def theirs() -> object:
        return server.call(document)

    async def floor() -> object:
        echo.call()
        return None

    taken: tuple[list[float], ...] = ([], [], [])
    for _ in range(effort.of(25, 2)):
        for values, call in zip(taken, (ours, theirs, floor), strict=True):
            values.append(await _p50(call, effort.of(200, 50)))
    return tuple(Sample(unit="us", values=tuple(values)) for values in taken)


async def _p50(call: Call, times: int) -> float:
    taken = []
    for _ in range(times):
        started = perf_counter()
        await call()
        taken.append(perf_counter() - started)
    return median(taken) * 1e6


async def _throughput(
    here: Place, installed: InstalledPlugin, servers: Sequence[GrpcPeer], workers: int, effort: Effort
) -> tuple[Sample, Sample]:
    supervisor = Supervisor(installed, here.host(), workers=workers)
    input, document = given(), request_document()
    calls = effort.of(3000, 300)
    ours, theirs = [], []
    await supervisor.start()
    try:
        for _ in range(effort.of(5, 1) + 1):
            started = perf_counter()
            await _many(supervisor, input, calls)
            ours.append(calls / (perf_counter() - started))
            started = perf_counter()
            _many_grpc(servers, document, calls // 3)
            theirs.append(calls // 3 / (perf_counter() - started))
    finally:
        await supervisor.stop()
    # the first round warms both up
    return Sample(unit="/s", values=tuple(ours[1:])), Sample(unit="/s", values=tuple(theirs[1:]))


async def _many(supervisor: Supervisor, input: ActionInput, calls: int) -> None:
    left = iter(range(calls))

    async def lane() -> None:
        for _ in left:
            await supervisor.execute("bench", input, timeout_s=30)

    await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))


def _many_grpc(servers: Sequence[GrpcPeer], document: object, calls: int) -> None:
    under_way: list[Any] = []
    for number in range(calls):
        if len(under_way) == IN_FLIGHT:
            GrpcPeer.finish(under_way.pop(0))
        under_way.append(servers[number % len(servers)].begin(document))
    for call in under_way:
        GrpcPeer.finish(call)


@contextmanager
def _on_one_core(pids: Sequence[int]) -> Iterator[None]:
    """These processes and this one, with all their threads, share one core meanwhile."""
    allowed = os.sched_getaffinity(0)
    tasks = [int(task.name) for pid in [os.getpid(), *pids] for task in Path(f"/proc/{pid}/task").iterdir()]
    try:
        _set_affinity(tasks, {min(allowed)})
        yield
    finally:
        _set_affinity(tasks, allowed)


def _set_affinity(tasks: Sequence[int], cores: set[int]) -> None:
    for task in tasks:
        try:
            os.sched_setaffinity(task, cores)
        except ProcessLookupError:  # a thread of a pool that has ended meanwhile
            continue

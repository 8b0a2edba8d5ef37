"""What it costs to isolate a worker: at its start, in each call, in each system call; beside the same without."""

import asyncio
import dataclasses
import json
import os
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from assess_core.host import HostConfig, Supervisor
from assess_core.host.confinement import for_process, look, profile_of
from assess_core.host.identities import Identity, lease
from assess_core.store import InstalledPlugin
from assess_plugin.isolation.profile import Profile
from bench.effort import Effort
from bench.peers import children, process
from bench.place import PROGRAMS, bench_plugin, place
from bench.roundtrip import given
from bench.rows import Report, Row, paragraphs
from bench.spawn import memory
from bench.stats import Sample, difference, ratio

TITLE = "What isolation costs"
PEER = "without isolation"
NOTES = """
Beside: the same worker with `run_plugins_without_isolation`, alternately. Run as {user}.

Of a start the worker imports what isolates it (ctypes and resource, which stay loaded; a worker without isolation
imports them too, so the first two rows are without that), asks the kernel ({paths} rules of Landlock, {instructions}
instructions of seccomp), and tries what must fail. The runtime makes the profile while the interpreter starts, waits
once more for the worker, and looks at it in /proc.

A file of the scratch directory is opened, read and closed: `openat` is looked at with its arguments by the filter, and
by Landlock. `getppid` is allowed whatever its arguments, which the kernel looks up in a bitmap.
"""

STEPS = {
    "import": "the worker imports what isolates it",
    "isolate": "the worker isolates itself",
    "selfcheck": "the worker examines itself",
}


def run(effort: Effort) -> Report:
    """Starts and calls alternately; then the steps of a process alone, and what it pays for a system call."""
    opens = effort.of(20_000, 200)
    with place([bench_plugin()]) as here:
        installed, held = here.installed("bench-plugin"), here.host()
        hosts = held, replace(held, isolation="off")
        starts = _started(installed, hosts, effort.of(30, 2))
        calls = asyncio.run(_called(installed, hosts, effort.of(30, 2), effort.of(200, 5)))
        weights = tuple(asyncio.run(_weigh(installed, host)) for host in hosts)
        rounds = [_steps(installed, held, opens) for _ in range(effort.of(15, 2))]
    isolated, bare = ([each[index] for each in rounds] for index in (0, 1))
    rows = (
        _beside("spawn to loaded", *starts),
        Row(what="what isolation adds to it", ours=difference(*starts)),
        *(Row(what=text, ours=_sample(isolated, name, 1e3, "ms")) for name, text in STEPS.items()),
        Row(what="the runtime makes the profile", ours=_sample(isolated, "profile", 1e3, "ms")),
        Row(what="the runtime looks at the process", ours=_sample(isolated, "look", 1e3, "ms")),
        _beside("round trip of a call", *calls),
        *(
            _beside(text, *(_sample(each, name, 1e6 / opens, "us") for each in (isolated, bare)))
            for name, text in {"opens": "a file opened, read, closed", "asks": "getppid"}.items()
        ),
        _beside("idle worker, resident (RSS)", *weights),
    )
    user = "root" if os.geteuid() == 0 else "an ordinary user"
    facts = {name: int(isolated[0][name]) for name in ("paths", "instructions")}
    return Report(rows=rows, notes=paragraphs(NOTES, user=user, **facts))


def _beside(what: str, ours: Sample, theirs: Sample) -> Row:
    return Row(what=what, ours=ours, peer=PEER, theirs=theirs, measured=ratio(ours, theirs))


def _sample(rounds: list[Mapping[str, float]], name: str, factor: float, unit: Any) -> Sample:
    return Sample(unit=unit, values=tuple(each[name] * factor for each in rounds))


def _started(installed: InstalledPlugin, hosts: tuple[HostConfig, ...], rounds: int) -> list[Sample]:
    taken: tuple[list[float], ...] = tuple([] for _ in hosts)
    for _ in range(rounds + 1):
        for kept, host in zip(taken, hosts, strict=True):
            kept.append(asyncio.run(_start(installed, host)) * 1000)
    return [Sample(unit="ms", values=tuple(kept[1:])) for kept in taken]  # the first round warms the file cache


async def _start(installed: InstalledPlugin, host: HostConfig) -> float:
    supervisor = Supervisor(installed, host)
    started = perf_counter()
    await supervisor.start()
    taken = perf_counter() - started
    await supervisor.stop()
    return taken


async def _called(installed: InstalledPlugin, hosts: tuple[HostConfig, ...], rounds: int, calls: int) -> list[Sample]:
    supervisors = [Supervisor(installed, host) for host in hosts]
    taken: tuple[list[float], ...] = tuple([] for _ in hosts)
    try:
        for _ in range(rounds + 1):
            for kept, supervisor in zip(taken, supervisors, strict=True):
                kept.append(median([await _call(supervisor) for _ in range(calls)]) * 1e6)
    finally:
        for supervisor in supervisors:
            await supervisor.stop()
    return [Sample(unit="us", values=tuple(kept[1:])) for kept in taken]


async def _call(supervisor: Supervisor) -> float:
    started = perf_counter()
    await supervisor.execute("bench", given(), timeout_s=30)
    return perf_counter() - started


async def _weigh(installed: InstalledPlugin, host: HostConfig) -> Sample:
    supervisor = Supervisor(installed, host)
    await supervisor.start()
    try:
        await supervisor.execute("bench", given(), timeout_s=30)
        (worker,) = children()
        return memory(worker, "Rss")
    finally:
        await supervisor.stop()


def _steps(installed: InstalledPlugin, host: HostConfig, opens: int) -> tuple[Mapping[str, float], ...]:
    """Seconds of each step of a process that is isolated, and of one that is not."""
    identity = lease()
    with tempfile.TemporaryDirectory(dir=host.scratch_root) as scratch:
        os.chown(scratch, identity.uid, identity.gid)
        try:
            return tuple(
                _one(installed, host, Path(scratch), identity, opens=opens, isolated=isolated)
                for isolated in (True, False)
            )
        finally:
            identity.release()


def _one(
    installed: InstalledPlugin, host: HostConfig, scratch: Path, identity: Identity, *, opens: int, isolated: bool
) -> Mapping[str, float]:
    program = PROGRAMS / "isolated_steps.py"
    kit = host.kit_of(installed)
    argv = [str(installed.python), "-I", "-S", "-B", str(program), str(kit), str(scratch)]
    with process(argv) as child:
        started = perf_counter()
        profile = for_process(profile_of(installed, kit=kit, scratch=scratch, identity=identity), child.pid)
        taken = {"profile": perf_counter() - started}
        took = _told(child, {"profile": _document(profile) if isolated else None, "opens": opens})
        if isolated:
            started = perf_counter()
            look(child.pid, profile)
            taken["look"] = perf_counter() - started
    return {**took, **taken, "paths": len(profile.landlock.paths), "instructions": len(profile.filter) // 8}


def _told(child: subprocess.Popen[bytes], told: Mapping[str, Any]) -> dict[str, float]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(told).encode() + b"\n")
    child.stdin.flush()
    took: dict[str, float] = json.loads(child.stdout.readline())
    return took


def _document(profile: Profile) -> dict[str, Any]:
    return {**dataclasses.asdict(profile), "filter": b64encode(profile.filter).decode()}

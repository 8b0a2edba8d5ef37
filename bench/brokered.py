"""What it costs to ask: `run`, `open`, `stat` and `connect` of an isolated plugin beside doing the same directly."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from functools import partial
from statistics import median

from tests.support.wheels import WheelBuilder, demo_manifest

from assess_core.host import Supervisor
from assess_plugin import ActionInput, Subject
from bench.effort import Effort
from bench.place import PROGRAMS, place
from bench.programs.brokered_plugin import FILE, PROGRAM, direct, timed
from bench.rows import Report, Row, paragraphs
from bench.stats import Sample, ratio

TITLE = "What asking costs"
PEER = "directly"
NOTES = """
The plugin is isolated and asks its host; directly is the same in a process of its own, without a runtime. Medians of a
call's times, alternately, in {rounds} rounds. What is asked for is compared with the permissions, done by the runtime,
recorded, and answered over the pipe.

A command waits for a gate, so that no runtime which is killed leaves one behind; {program} does nothing, so that all
there is to see is the start. A connection ends at a listener on this machine; a call may make 20 at once.
"""

KINDS = {
    "open": (f"`open`, read and close {FILE}", 100),
    "stat": (f"`stat` {FILE}", 100),
    "run": (f"`run` {PROGRAM}", 10),
    "connect": ("`connect` to a port and close", 20),
}
"""Kind -> what is done, and how often in a call."""


def run(effort: Effort) -> Report:
    """Rounds of calls of each kind, and the same directly after each."""
    rounds = effort.of(15, 2)
    with _listener() as port, place([_plugin(port)]) as here:
        taken = asyncio.run(_rounds(Supervisor(here.installed("brokered-plugin"), here.host()), port, rounds))
    rows = []
    for kind, (what, _) in KINDS.items():
        ours, theirs = (Sample(unit="us", values=tuple(each[kind])) for each in taken)
        rows.append(Row(what=what, ours=ours, peer=PEER, theirs=theirs, measured=ratio(ours, theirs)))
    return Report(rows=tuple(rows), notes=paragraphs(NOTES, rounds=rounds, program=PROGRAM))


async def _rounds(supervisor: Supervisor, port: int, rounds: int) -> tuple[dict[str, list[float]], ...]:
    ours: dict[str, list[float]] = {kind: [] for kind in KINDS}
    theirs: dict[str, list[float]] = {kind: [] for kind in KINDS}
    try:
        for number in range(rounds + 1):
            for kind, (_, times) in KINDS.items():
                asked = await _asked(supervisor, kind, port, times)
                done = median(timed(partial(direct, kind, port), times))
                if number:  # the first round warms everything
                    ours[kind].append(asked)
                    theirs[kind].append(done)
    finally:
        await supervisor.stop()
    return ours, theirs


async def _asked(supervisor: Supervisor, kind: str, port: int, times: int) -> float:
    given = ActionInput(
        subject=Subject(id="host:bench", type="inventory-item", title="bench"),
        checks=(kind,),
        settings={"port": port, "times": times},
    )
    report = await supervisor.execute("brokered", given, timeout_s=60)
    (result,) = report.output.results
    taken: list[float] = json.loads(result.actual or "[]")
    return median(taken)


def _plugin(port: int) -> WheelBuilder:
    permissions = (
        f'read = ["{FILE}", "/usr/lib/os-release"]\ncommands = [["{PROGRAM}"]]\nnetwork = ["127.0.0.1:{port}"]\n'
    )
    manifest = demo_manifest(tuple(KINDS), plugin="brokered", permissions=permissions)
    return WheelBuilder(
        name="brokered-plugin",
        files={"brokered_plugin/__init__.py": (PROGRAMS / "brokered_plugin.py").read_text()},
        manifest=manifest.replace('api = ">=1.0,<2"', 'api = ">=1.2,<2"')
        + '\n[settings.port]\ntype = "integer"\n\n[settings.times]\ntype = "integer"\n',
        requires=("assess-plugin>=1.2,<2",),
        entry_points={"assess.plugins": {"brokered": "brokered_plugin:plugin"}},
    )


@contextlib.contextmanager
def _listener() -> Iterator[int]:
    """A port of this machine at which every connection is taken and closed."""
    server = socket.create_server(("127.0.0.1", 0), backlog=128)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                server.accept()[0].close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()

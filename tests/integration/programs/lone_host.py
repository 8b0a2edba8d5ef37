"""A runtime that calls a plugin once and says what came of it, as JSON; for tests that need a process of their own.

lone_host.py '{"root": DIRECTORY, "plugin": PROGRAM, "checks": [...], "isolation": "required", "settings": {...},
               "without": null | "landlock", "tell": false}'

`without: landlock` makes the kernel say that it has none, to this process and whatever it starts. ASSESS_TEST_START
says how workers are started: `spawn`, or `fork` from the first on.
"""

import asyncio
import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.support.installed import host_config, make_program

from assess_core.errors import PluginFault
from assess_core.host import LogLine, Progress, Supervisor, prepared
from assess_plugin import ActionInput, Subject
from assess_plugin.isolation import bpf

_LANDLOCK_CREATE_RULESET, _ENOSYS = 444, 38


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def hide_landlock() -> None:
    """The call that makes a ruleset does not exist for this process any more."""
    code = bpf.encode(
        [
            bpf.load(bpf.NUMBER_AT),
            bpf.jump_equal(_LANDLOCK_CREATE_RULESET, if_false=1),
            bpf.end(bpf.ERRNO | _ENOSYS),
            bpf.end(bpf.ALLOW),
        ]
    )
    program = _Program(length=len(code) // 8, filter=code)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((38, 1, 0, 0, 0), (22, 2, ctypes.addressof(program), 0, 0)):
        if libc.prctl(*map(ctypes.c_ulong, arguments)) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


async def call(asked: dict[str, Any]) -> dict[str, Any]:
    """What came of it."""
    root = Path(asked["root"])
    host = Supervisor(make_program(root, asked["plugin"]), host_config(root, isolation=asked["isolation"]))
    given = ActionInput(
        subject=Subject(id="x", type="component", title="x"), checks=tuple(asked["checks"]), settings=asked["settings"]
    )

    def tell(event: LogLine | Progress) -> None:
        if isinstance(event, LogLine):
            print(event.message, flush=True)

    try:
        report = await host.execute("it", given, timeout_s=60, on_event=tell)
    except PluginFault as fault:
        return {"fault": str(fault), "kind": fault.kind.value, "held": None}
    finally:
        await host.stop()
    held = report.held
    return {
        "fault": None,
        "actual": {result.check_id: result.actual for result in report.output.results},
        "held": [held.isolation, held.user, held.landlock_abi],
    }


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    prepared.SPAWNED_FIRST = 0 if os.environ.get("ASSESS_TEST_START") == "fork" else 1 << 30
    if asked["without"] == "landlock":
        hide_landlock()
    print(json.dumps(asyncio.run(call(asked))))

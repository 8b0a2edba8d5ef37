"""Does one thing again and again, through its host or directly, and says how long each took: microseconds, as JSON."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable

from assess_plugin import ActionInput, ActionOutput, CheckResult, Host, Outcome, hookimpl

FILE = "/etc/os-release"
PROGRAM = "/usr/bin/true"


def direct(kind: str, port: int) -> None:
    """What a script would do."""
    match kind:
        case "open":
            with open(FILE, "rb") as file:  # noqa: PTH123  as a script would
                file.read()
        case "stat":
            os.lstat(FILE)
        case "run":
            subprocess.run([PROGRAM], check=True, capture_output=True, stdin=subprocess.DEVNULL)
        case "connect":
            socket.create_connection(("127.0.0.1", port)).close()


def asked(kind: str, port: int, host: Host) -> None:
    """The same, asked of the host."""
    match kind:
        case "open":
            with host.open(FILE) as file:
                file.read()
        case "stat":
            host.stat(FILE)
        case "run":
            host.run([PROGRAM])
        case "connect":
            host.connect("127.0.0.1", port).close()


def timed(do: Callable[[], None], times: int) -> list[float]:
    """Microseconds of each time."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        do()
        taken.append((time.perf_counter() - began) * 1e6)
    return taken


class Brokered:
    """The plugin."""

    @hookimpl
    def assess_execute(self, input: ActionInput) -> ActionOutput:
        """One check, of that kind."""
        (kind,) = input.checks
        port, times = int(input.settings["port"]), int(input.settings["times"])
        taken = timed(lambda: asked(kind, port, input.host), times)
        result = CheckResult(check_id=kind, outcome=Outcome.PASS, actual=json.dumps([round(each, 1) for each in taken]))
        return ActionOutput(results=(result,))


plugin = Brokered()

"""A plugin that does one bad thing in one phase of its life; both are written into it when it is made.

Phases: `load` while it is imported, `call`, `frame` in the middle of a message, `idle` after a reply, `shutdown` in its
hook. `start`, before hello, is before any plugin's code: there it is the worker's own first line that is replaced.
"""

import os
import signal
import threading
import time
from typing import Any

from assess_plugin import ActionInput, ActionOutput, CheckResult, Outcome, hookimpl

PHASE, DEED = "never", "nothing"


def do(deed: str) -> None:
    """The bad thing itself."""
    if deed == "hangs":
        while True:
            signal.pause()
    if deed == "exits":
        os._exit(7)
    if deed == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if deed == "stops":
        os.kill(os.getpid(), signal.SIGSTOP)
    if deed == "eats":
        kept = []
        while True:
            kept.append(bytearray(b"x" * (1 << 20)))
    if deed == "floods":
        line = b"y" * 65536
        while True:
            os.write(1, line)
    if deed == "forks":  # twice, as a daemon does
        if not os.fork():
            os.setsid()
            if os.fork():
                os._exit(0)
            signal.pause()
        time.sleep(0.1)


def later() -> None:
    time.sleep(0.1)
    do(DEED)


class Plugin:
    @hookimpl
    def assess_execute(self, input: ActionInput) -> ActionOutput:
        if PHASE == "call":
            do(DEED)
        if PHASE == "frame":
            host: Any = input.host
            host._channel._sock.sendall((1000).to_bytes(4, "big") + b'{"type": "executed", ')
            do(DEED)
        if PHASE == "idle":
            threading.Thread(target=later, daemon=True).start()
        return ActionOutput(results=tuple(CheckResult(check_id=check, outcome=Outcome.PASS) for check in input.checks))

    @hookimpl
    def assess_shutdown(self) -> None:
        if PHASE == "shutdown":
            do(DEED)


plugin = Plugin()

if PHASE == "load":
    do(DEED)

"""A worker's process with everything that connects us to it."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assess_core.host import prepared
from assess_core.host.logtail import LogTail
from assess_core.host.process import ChildProcess, spawn
from assess_core.store import InstalledPlugin
from assess_plugin.isolation.start import forkable, worker_argv
from assess_plugin.wire import HEADER

MOST_BEGIN = 64 * 1024
"""Bytes; a worker with a larger environment is spawned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launched:
    """A started worker: its process, our end of its socket, its output."""

    process: ChildProcess
    socket: socket.socket
    log: LogTail


async def launch(
    installed: InstalledPlugin, *, kit: Path, scratch: Path, environment: Mapping[str, str], fork: bool
) -> Launched:
    """The worker's process, which waits for its first message; `environment` is all of its own.

    `fork` lets it be a copy of a prepared parent, if there is one.

    Raises:
        OSError: it could not be started.
    """
    while True:
        try:
            return await _launch(installed, kit, scratch, environment, fork=fork and forkable(environment))
        except prepared.GoneError:
            # A copy may be there that nobody was told of, and has what it was given: never handed out twice.
            continue


async def _launch(
    installed: InstalledPlugin, kit: Path, scratch: Path, environment: Mapping[str, str], *, fork: bool
) -> Launched:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    log, their_log = os.pipe2(os.O_CLOEXEC)
    try:
        process = None
        if fork:
            begin = _begin(installed, scratch, environment)
            process = await _forked(installed, kit, (theirs.fileno(), their_log), ours, begin)
        if process is None:
            # On the loop's own thread: a worker dies with the thread that started it (PR_SET_PDEATHSIG).
            process = spawn(
                worker_argv(
                    installed.python,
                    kit=kit,
                    descriptor=theirs.fileno(),
                    environment=installed.environment,
                    sites=(installed.site_packages,),
                ),
                loop=loop,
                cwd=scratch,
                environment=environment,
                stdout=their_log,
                stderr=their_log,
                inherit=(theirs.fileno(),),
            )
    except BaseException:
        ours.close()
        os.close(log)
        raise
    finally:
        theirs.close()
        os.close(their_log)
    return Launched(process=process, socket=ours, log=LogTail(log, loop))


def _begin(installed: InstalledPlugin, scratch: Path, environment: Mapping[str, str]) -> bytes:
    """What a copy of a prepared parent is to be: no message of docs/wire.md, and read before it speaks that."""
    body = json.dumps(
        {
            "environment": environment,
            "directory": str(scratch),
            "prefix": str(installed.environment),
            "python": str(installed.python),
            "sites": [str(installed.site_packages)],
            "title": f"assess-worker {installed.distribution} {installed.version}",
        }
    ).encode()
    return len(body).to_bytes(HEADER, "big", signed=True) + body


async def _forked(
    installed: InstalledPlugin, kit: Path, theirs: tuple[int, int], ours: socket.socket, begin: bytes
) -> ChildProcess | None:
    if len(begin) > MOST_BEGIN:
        return None
    life, our_end = os.pipe2(os.O_CLOEXEC)
    forked = None
    try:
        forked = await prepared.fork(installed.python, kit, (*theirs, life))
    finally:
        if forked is None:
            os.close(life)
            os.close(our_end)
    if forked is None:
        return None
    with contextlib.suppress(OSError):  # it is dead already, and will be noticed to be
        ours.send(begin)  # all of it: the socket is empty, and has room for more
    loop = asyncio.get_running_loop()
    return ChildProcess(forked.pid, forked.pidfd, our_end, loop, unarmed=life)

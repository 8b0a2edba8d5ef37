"""A worker's process with everything that connects us to it."""

import asyncio
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assess_core.host.logtail import LogTail
from assess_core.host.process import ChildProcess, spawn
from assess_core.store import InstalledPlugin
from assess_plugin.isolation.start import worker_argv, worker_environment


@dataclass(frozen=True, kw_only=True, slots=True)
class Launched:
    """A started worker: its process, our end of its socket, its output."""

    process: ChildProcess
    socket: socket.socket
    log: LogTail


def launch(
    installed: InstalledPlugin,
    *,
    kit: Path,
    scratch: Path,
    uid: int,
    variables: Iterable[str],
    loop: asyncio.AbstractEventLoop,
) -> Launched:
    """The worker's process, which waits for its first message; `uid` is whom it is to run as once it is isolated.

    It finds these `variables` of ours.

    Raises:
        OSError: it could not be started.
    """
    ours, theirs = socket.socketpair()
    log, their_log = os.pipe2(os.O_CLOEXEC)
    try:
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
            environment=worker_environment(scratch, variables, uid),
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

"""A prepared parent's life, and how a copy of it becomes a worker.

It runs with all rights that the runtime has, so it reads nothing: a request is one byte with three descriptors, the
worker's socket, its log and its lifeline; the answer is the copy's process id with a descriptor of it, or an error's
number. What the worker is - environment, directory, interpreter - the copy reads from its own socket (`begin`), so that
nothing of one worker is ever in the memory that another begins with.
"""

import gc
import json
import os
import sys
import time
from _socket import CMSG_SPACE, SCM_RIGHTS, SOL_SOCKET, socket
from typing import Any

from assess_plugin.worker.forking import Forking, UnforkableError, be_called, die_with_parent, show_as
from assess_plugin.worker.serve import main

NUMBER = 4
"""Bytes of an answer, signed: 0 once, when it is ready; then process ids, or the number of an error, negative."""

_DESCRIPTORS = 3
_MAX_BEGIN = 256 * 1024


def serve_starts(descriptor: int, name: str) -> int:
    """Copy this process as often as the runtime asks; the exit code, of this process as of each copy.

    By its name a copy is known that could not be announced any more.
    """
    die_with_parent()
    be_called(name)
    control = socket(fileno=descriptor)
    try:
        forking = Forking()
    except UnforkableError as why:
        sys.stderr.write(f"{why}\n")
        return 1
    gc.collect()
    gc.freeze()  # what is here stays: no collection of a copy needs to look at it, and make it its own
    try:
        control.send(_number(0))
        while (given := _request(control)) is not None:
            try:
                pid, pidfd = forking.fork()
            except OSError as error:
                control.send(_number(-(error.errno or 1)))
            else:
                if pid == 0:
                    control.close()
                    return _become(*given)
                control.sendmsg([_number(pid)], [(SOL_SOCKET, SCM_RIGHTS, _number(pidfd))])
                os.close(pidfd)
            for each in given:
                os.close(each)
    except ConnectionError:  # the runtime has closed its end meanwhile
        pass
    return 0


def _request(control: socket) -> tuple[int, int, int] | None:
    data, ancillary, _, _ = control.recvmsg(1, CMSG_SPACE(NUMBER * _DESCRIPTORS))
    if not data:
        return None
    ((_, _, raw),) = ancillary
    sock, log, lifeline = (int.from_bytes(raw[n : n + NUMBER], sys.byteorder) for n in range(0, len(raw), NUMBER))
    return sock, log, lifeline


def _become(sock: int, log: int, lifeline: int) -> int:
    """What `bootstrap` does for a process that was started as a worker: nothing is left of what this one was."""
    os.setsid()
    os.dup2(log, 1)
    os.dup2(log, 2)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  pathlib is not among the modules that a worker has loaded
        if int(name) not in (0, 1, 2, sock, lifeline):
            os.closerange(int(name), int(name) + 1)  # one is the listing's own, and closed already
    begin = _begin(sock)
    os.environ.clear()
    os.environ.update(begin["environment"])
    time.tzset()
    os.chdir(begin["directory"])
    sys.prefix = sys.exec_prefix = begin["prefix"]
    sys.executable = begin["python"]
    sys.orig_argv = [begin["python"], *sys.argv]
    show_as(begin["title"])
    return main(sock, begin["sites"])


def _begin(sock: int) -> dict[str, Any]:
    length = int.from_bytes(_exactly(sock, NUMBER), "big", signed=True)
    if not 0 <= length <= _MAX_BEGIN:
        raise ValueError(f"begin has {length} bytes")
    begin: dict[str, Any] = json.loads(_exactly(sock, length))
    return begin


def _exactly(descriptor: int, size: int) -> bytes:
    got = b""
    while len(got) < size:
        part = os.read(descriptor, size - len(got))
        if not part:
            os._exit(1)  # the runtime has given this start up, or ended; nothing of it is to be said
        got += part
    return got


def _number(value: int) -> bytes:
    return value.to_bytes(NUMBER, sys.byteorder, signed=True)

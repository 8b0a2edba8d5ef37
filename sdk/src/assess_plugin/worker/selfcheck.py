"""A look from inside at a worker that has just been isolated: what must fail is tried, and what must work.

Each try would be harmless if it succeeded. What is refused counts only with the error it is to be refused with: a
program that does not exist cannot be executed anywhere.
"""

import errno
import os
import sys
from _socket import AF_INET, SOCK_DGRAM, SOCK_STREAM, socket
from collections.abc import Callable
from typing import Any

from assess_plugin.worker.isolate import IsolationError, capabilities

_PROBE = "encodings.undefined"
"""A module of every standard library, however small, that nothing has imported yet. An interpreter that the worker's
user cannot read would otherwise show itself late, as a plugin's `No module named …`."""


def selfcheck(profile: Any) -> None:
    """The process is held as the profile says.

    Raises:
        IsolationError: it is not, or it cannot work like this; the process must end.
    """
    identity = profile["identity"]
    uid, gid, kept = identity["uid"], identity["gid"], identity["capabilities"]
    _same("user", os.getresuid(), (uid, uid, uid))
    _same("group", os.getresgid(), (gid, gid, gid))
    _same("capabilities", capabilities(), (kept, kept, 0))
    _refused("opening /", errno.EACCES, lambda: os.open("/", os.O_RDONLY | os.O_DIRECTORY))
    _refused("opening /proc/self/status", errno.EACCES, lambda: os.open("/proc/self/status", os.O_RDONLY))
    _refused("a TCP socket", errno.EPERM, lambda: socket(AF_INET, SOCK_STREAM))
    _refused("a UDP socket", errno.EPERM, lambda: socket(AF_INET, SOCK_DGRAM))
    _refused("executing", errno.EPERM, lambda: os.execv("/nonexistent/program", ["program"]))  # noqa: S606
    _refused("forking", errno.EPERM, _fork)
    _refused("becoming root", errno.EPERM, lambda: os.setuid(0))
    _works_in_scratch()
    _imports_something_new()


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise IsolationError(f"self-check: {what} is {found}, expected {expected}")


def _refused(what: str, expected: int, attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except OSError as error:
        if error.errno == expected:
            return
        raise IsolationError(f"self-check: {what} was refused with {error.strerror!r}") from error
    raise IsolationError(f"self-check: {what} was not refused")


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)  # a process that should not be


def _works_in_scratch() -> None:
    try:
        descriptor = os.open("assess-selfcheck", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.close(descriptor)
        os.unlink("assess-selfcheck")  # noqa: PTH108  pathlib is not among the modules that a worker has loaded
    except OSError as error:
        raise IsolationError(f"self-check: scratch directory {os.getcwd()}: {error.strerror}") from error  # noqa: PTH109


def _imports_something_new() -> None:
    try:
        __import__(_PROBE)
    except ImportError as error:
        raise IsolationError(
            f"self-check: the interpreter's library below {sys.base_prefix} cannot be read by user {os.getuid()}"
        ) from error
    sys.modules.pop(_PROBE, None)

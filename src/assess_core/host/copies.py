"""Copies of a prepared parent that nobody wants or was told of: ended, and waited for, so that none stays a zombie.

They are children of this process, known by the name that their parent was given, which a process keeps when it is dead.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path


def discard(pidfd: int) -> None:
    """This one is gone, and its descriptor closed."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)


def discard_lost(name: str, known: set[int]) -> None:
    """Copies that a parent of this name made and could not tell us of are gone; `known` are those that it told us of.

    They end by themselves, and are ours to wait for.
    """
    for pid in set(children()) - known:
        with contextlib.suppress(OSError):  # somebody else has waited for it
            pidfd = os.pidfd_open(pid)
            try:
                # Looked at now: whoever has the number from here on is the one whose descriptor we have.
                lost = _stat(pid)[0] == name.encode()
            except OSError:
                lost = False
            if lost:
                discard(pidfd)
            else:
                os.close(pidfd)


def children() -> Iterator[int]:
    """Of this process, dead ones too."""
    own = str(os.getpid()).encode()
    for number in os.listdir("/proc"):  # noqa: PTH208  names are all that is wanted
        if number.isdecimal():
            with contextlib.suppress(OSError):
                if _stat(int(number))[1] == own:
                    yield int(number)


def _stat(pid: int) -> tuple[bytes, bytes]:
    """What the process is called, and whose it is."""
    first, _, rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")
    return first.partition(b"(")[2], rest.split()[1]

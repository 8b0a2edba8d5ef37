"""A child process in a session of its own that dies when its parent does, and is reaped whatever it does.

The lifeline (docs/wire.md, "Transport") is a pipe whose read end the child inherits, and for which the kernel is told
to send SIGKILL to the child's process group as soon as something happens to it. Nothing ever does but the end of its
one writer: this process. Unlike PR_SET_PDEATHSIG it needs no code in the child, reaches the whole group, and does not
fire when merely the thread that forked ends.
"""

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from assess_core.host.gate import Gate

REAP_S = 10.0
"""How long a process may take to die of SIGKILL before it is given up as stuck in the kernel."""


class ChildProcess:
    """A started process; `exited` is set when it is dead (not yet reaped, so that its group id stays its own)."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        lifeline: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.pid = popen.pid
        self.exited = asyncio.Event()
        self._popen = popen
        self._lifeline = lifeline
        self._loop = loop
        self._on_exit: Callable[[], None] | None = None
        self._pidfd = os.pidfd_open(popen.pid)
        loop.add_reader(self._pidfd, self._notice_exit)

    def on_exit(self, told: Callable[[], None]) -> None:
        """Have somebody told, on the loop's thread, once it is dead; soon, if it already is."""
        self._on_exit = told
        if self.exited.is_set():
            self._loop.call_soon(told)

    def signal_group(self, number: signal.Signals) -> None:
        """Signal every process of the group; quiet when none is left."""
        if self._popen.returncode is None:  # not reaped: the number cannot have been given to anyone else
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    async def end(self, kill_after_s: float) -> None:
        """The process is dead, by TERM to its group or `kill_after_s` later by KILL, and so is its group."""
        if not self.exited.is_set():
            self.signal_group(signal.SIGTERM)
            await self.wait(kill_after_s)
        self.signal_group(signal.SIGKILL)
        await self.wait(REAP_S)

    def reap(self) -> int | None:
        """Release what is held of it; its exit code, negative for a signal, None when SIGKILL could not end it."""
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            os.close(self._lifeline)
            self._pidfd = -1
        return self._popen.wait() if self.exited.is_set() else None

    async def wait(self, timeout_s: float) -> None:
        """The process is dead, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.exited.wait()

    def _notice_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self.exited.set()
        if self._on_exit is not None:
            self._on_exit()


def spawn(
    argv: Sequence[str | Path],
    *,
    loop: asyncio.AbstractEventLoop,
    cwd: Path,
    environment: Mapping[str, str],
    stdout: int,
    stderr: int,
    inherit: Sequence[int] = (),
    gate: Gate | None = None,
    limits: Mapping[int, int] | None = None,
) -> ChildProcess:
    """A process in its own session, with nothing of ours but the given descriptors and its lifeline.

    `gate` is opened once the lifeline is armed and the `limits` (RLIMIT_*) are set: no more than ours.

    Raises:
        OSError: it could not be started.
    """
    their_end, our_end = os.pipe2(os.O_CLOEXEC)
    popen = None
    try:
        popen = subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(*inherit, their_end, *(gate.inherit if gate else ())),
            start_new_session=True,
        )
        _arm(their_end, popen.pid)
        for limit, most in (limits or {}).items():
            _, hard = resource.prlimit(popen.pid, limit)
            bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(popen.pid, limit, (bound, bound))
        if gate is not None:
            gate.open()
        return ChildProcess(popen, our_end, loop)
    except BaseException:
        os.close(our_end)
        if popen is not None:
            popen.kill()
            popen.wait()
        raise
    finally:
        os.close(their_end)


def _arm(descriptor: int, group: int) -> None:
    # Settings of the open file, which the child shares: they outlive this process. Earlier is not possible: the kernel
    # takes no owner that does not exist yet (F_SETOWN). Were we killed before this line, a worker would read the end of
    # its socket instead, and a command waits at its gate.
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, -group)
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)

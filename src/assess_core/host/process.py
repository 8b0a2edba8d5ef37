"""A child process in a session of its own that dies when its parent does, and is reaped whatever it does.

The lifeline (docs/wire.md, "Transport") is a pipe whose read end the child inherits, and for which the kernel is told
to send SIGKILL to the child's process group as soon as something happens to it. Nothing ever does but the end of its
one writer: this process. Unlike PR_SET_PDEATHSIG it needs no code in the child, reaches the whole group, and does not
fire when merely the thread that forked ends.
"""

import asyncio
import contextlib
import errno
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

_TO_GROUP = 1 << 2
"""PIDFD_SIGNAL_PROCESS_GROUP (Linux 6.9)."""

_by_descriptor = True
"""Whether the kernel knows that."""


class ChildProcess:
    """A started process; `exited` is set when it is dead (not yet reaped, so that its group id stays its own).

    Its number says who it is to people; what is done to it goes by a descriptor of it, which never means another.

    Args:
        pidfd: of the process, which is a child of ours; owned, closed with `reap`.
        lifeline: our end.
        unarmed: their end, where it could not be armed yet: see `arm`.
        popen: that started it, kept as long as it is not reaped.
    """

    def __init__(
        self,
        pid: int,
        pidfd: int,
        lifeline: int,
        loop: asyncio.AbstractEventLoop,
        *,
        unarmed: int = -1,
        popen: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.pid = pid
        self.exited = asyncio.Event()
        self._popen = popen
        self._lifeline = lifeline
        self._unarmed = unarmed
        self._loop = loop
        self._on_exit: Callable[[], None] | None = None
        self._exit_code: int | None = None
        self._pidfd = pidfd
        loop.add_reader(pidfd, self._notice_exit)

    def on_exit(self, told: Callable[[], None]) -> None:
        """Have somebody told, on the loop's thread, once it is dead; soon, if it already is."""
        self._on_exit = told
        if self.exited.is_set():
            self._loop.call_soon(told)

    def arm(self) -> None:
        """Its lifeline is armed, if it is not yet: it has a group of its own by now."""
        if self._unarmed >= 0:
            try:
                _arm(self._unarmed, self.pid)
            except ProcessLookupError:  # it is dead
                pass
            finally:
                self._close_unarmed()

    def signal_group(self, number: signal.Signals) -> None:
        """Signal every process of the group; quiet when none is left."""
        if self._pidfd < 0:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            try:
                _signal_group(self._pidfd, self.pid, number)
            except ProcessLookupError:  # it was only just forked, and has no group yet
                signal.pidfd_send_signal(self._pidfd, number)

    async def end(self, kill_after_s: float) -> None:
        """The process is dead, by TERM to its group or `kill_after_s` later by KILL, and so is its group."""
        if not self.exited.is_set():
            self.signal_group(signal.SIGTERM)
            await self.wait(kill_after_s)
        self.signal_group(signal.SIGKILL)
        await self.wait(REAP_S)

    def reap(self) -> int | None:
        """Release what is held of it; its exit code, negative for a signal, as often as it is asked for.

        None when SIGKILL could not end it, and when somebody else in this process waited for it (`waitpid(-1)`).
        """
        if self._pidfd < 0:
            return self._exit_code
        code = self._exit_code = _wait(self._pidfd) if self.exited.is_set() else None
        if self._popen is not None and self.exited.is_set():
            # It would wait for the number, which may be another's by now.
            self._popen.returncode = -1 if code is None else code
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        os.close(self._lifeline)
        self._close_unarmed()
        self._pidfd = -1
        return code

    async def wait(self, timeout_s: float) -> None:
        """The process is dead, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.exited.wait()

    def _notice_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self.exited.set()
        told, self._on_exit = self._on_exit, None
        if told is not None:
            told()

    def _close_unarmed(self) -> None:
        if self._unarmed >= 0:
            os.close(self._unarmed)
            self._unarmed = -1


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
        return ChildProcess(popen.pid, os.pidfd_open(popen.pid), our_end, loop, popen=popen)
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


def _signal_group(pidfd: int, group: int, number: signal.Signals) -> None:
    """Signal the group that began with this process, which may be dead and even reaped."""
    global _by_descriptor  # noqa: PLW0603  of the kernel, which does not change
    if _by_descriptor:
        try:
            signal.pidfd_send_signal(pidfd, number, None, _TO_GROUP)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            _by_descriptor = False
        else:
            return
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # reaped by somebody else: the number may be another group's
        return
    os.killpg(group, number)


def _wait(pidfd: int) -> int | None:
    try:
        found = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    except ChildProcessError:
        return None
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

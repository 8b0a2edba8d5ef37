"""Workers forked from a prepared parent: one process for each interpreter and kit, which has both in memory already.

    forked = await fork(python, kit, (their_socket, their_log, their_lifeline))     # None: it is to be spawned

What a worker needs before its plugin is the same for all, and takes most of its start; a copy of a process that has it
begins there, and shares the memory. The copy is our own child in every respect (`worker/forking.py`): we wait for it,
it ends with us, and its parent's end does not touch it.

The first worker of a loop is spawned: preparing for one that stays alone would only cost. The next within `IDLE_S`
finds a parent being prepared. A parent is ended when it was not needed for that long, and after `MOST_STARTS`: workers
of one parent have one layout of memory, and nobody is to have for ever to find out about it. Whatever goes wrong here,
a worker can be spawned; where it goes wrong always, that is said once.
"""

import asyncio
import contextlib
import errno
import logging
import math
import os
import secrets
import signal
import socket
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assess_core.host.aside import aside
from assess_core.host.copies import discard, discard_lost
from assess_core.host.logtail import LogTail
from assess_core.host.process import REAP_S, spawn
from assess_plugin.isolation.start import prepared_argv

logger = logging.getLogger(__name__)

IDLE_S = 60.0
MOST_STARTS = 64
SPAWNED_FIRST = 1
"""Starts of a loop that are not worth preparing for; the next one's parent serves those after it, too."""

GIVEN_UP_S = 600.0
"""Until it is tried again, where it may have been a passing thing."""

ANSWER_S = 10.0
"""From a request to the process: some 10 ms, or 100 if the parent is still preparing itself."""

LOOK_S = 0.005
"""A copy is on its way to a session of its own for about as long."""

_NUMBER = 4
_STRUCTURAL = frozenset((errno.EINVAL, errno.EPERM, errno.ENOSYS))
"""Errors of clone that come again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forked:
    """A worker's process, which has read nothing yet; `pidfd` is the caller's to close."""

    pid: int
    pidfd: int


class GoneError(Exception):
    """The prepared parent ended before it answered. A copy may have what it was given: ask again with other things."""


async def fork(python: Path, kit: Path, descriptors: Sequence[int]) -> Forked | None:
    """A worker's process with these three descriptors, or None if it is to be spawned.

    Raises:
        GoneError: it is to be asked for again.
        OSError: the interpreter is not there, or the machine has no room for another process.
    """
    loop = asyncio.get_running_loop()
    line = _line_of(loop, _Kind.of(python, kit))
    if not line.worthwhile(loop.time()):
        return None
    parent = line.parent_at(loop)
    try:
        forked = await parent.fork(descriptors)
    except _RefusedError as error:
        parent.retire()
        line.give_up(str(error), until=math.inf)
        return None
    except GoneError as error:
        line.lose(parent, str(error), now=loop.time())
        raise
    line.lost = None
    return forked


async def retire() -> None:
    """No prepared parent of this loop is left, but one that is slow to end; who forks after this has a new one."""
    lines = _lines.get(asyncio.get_running_loop(), {})
    parents = [line.parent for line in lines.values() if line.parent is not None]
    for parent in parents:
        parent.retire()
    if parents:
        await asyncio.wait([parent.keeper for parent in parents], timeout=ANSWER_S)


def why_spawned() -> str:
    """Why workers of this loop are spawned that could be forked; empty as long as nothing went wrong."""
    lines = _lines.get(asyncio.get_running_loop(), {})
    return next((line.said for line in lines.values() if line.said), "")


class _RefusedError(Exception):
    """The kernel does not let it copy itself this way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """What a prepared parent is of: an interpreter that is upgraded in place is another one."""

    python: Path
    seen: tuple[int, int, int, int]
    kit: Path

    @classmethod
    def of(cls, python: Path, kit: Path) -> "_Kind":
        found = python.stat()
        seen = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        return cls(python=python.resolve(), seen=seen, kit=kit)


@dataclass(kw_only=True, slots=True)
class _Line:
    """Starts of one kind in one loop."""

    kind: _Kind
    starts: deque[float] = field(default_factory=deque)
    parent: "_Prepared | None" = None
    lost: "_Prepared | None" = None
    spawns_until: float = 0.0
    said: str = ""

    def worthwhile(self, now: float) -> bool:
        """Whether this start is to be a fork."""
        while self.starts and self.starts[0] < now - IDLE_S:
            self.starts.popleft()
        often = len(self.starts) >= SPAWNED_FIRST
        if not often:
            self.starts.append(now)
        return often and now >= self.spawns_until

    def lose(self, parent: "_Prepared", why: str, *, now: float) -> None:
        """A parent ended, or hung: the second in a row is enough for now, as is one that was never ready."""
        if not parent.ready or self.lost not in (None, parent):
            self.give_up(why, until=now + GIVEN_UP_S)
        self.lost = parent

    def give_up(self, why: str, *, until: float) -> None:
        self.spawns_until = until
        if self.said != why:
            self.said = why
            logger.warning(
                "Workers of %s are spawned, since none can be forked: %s",
                self.kind.python,
                why,
                extra={"action": "workers-spawned"},
            )

    def parent_at(self, loop: asyncio.AbstractEventLoop) -> "_Prepared":
        if self.parent is None or not self.parent.usable:
            self.parent = _Prepared(self.kind, loop)
        return self.parent


_lines: dict[asyncio.AbstractEventLoop, dict[_Kind, _Line]] = {}


def _line_of(loop: asyncio.AbstractEventLoop, kind: _Kind) -> _Line:
    for known in list(_lines):
        if known.is_closed():
            _lines.pop(known, None)
    lines = _lines.setdefault(loop, {})
    for other in [each for each in lines if (each.python, each.kit) == (kind.python, kind.kit) and each != kind]:
        if (replaced := lines.pop(other).parent) is not None:
            replaced.retire()
    return lines.setdefault(kind, _Line(kind=kind))


class _Prepared:
    """One prepared parent, ended by its `keeper`, a task: when retired, when dead, when the loop's tasks are ended."""

    def __init__(self, kind: _Kind, loop: asyncio.AbstractEventLoop) -> None:
        self.usable, self.ready = True, False
        self._loop = loop
        self._name = f"assess-{secrets.token_hex(4)}"
        self._left = MOST_STARTS
        self._answers: deque[asyncio.Future[Forked]] = deque()
        self._known: set[int] = set()
        self._over = asyncio.Event()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        log, their_log = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = spawn(
                prepared_argv(kind.python, kit=kind.kit, descriptor=theirs.fileno(), name=self._name),
                loop=loop,
                cwd=Path("/"),
                environment={"LANG": "C.UTF-8"},
                stdout=their_log,
                stderr=their_log,
                inherit=(theirs.fileno(),),
            )
        except BaseException:
            self._control.close()
            os.close(log)
            raise
        finally:
            theirs.close()
            os.close(their_log)
        self._log = LogTail(log, loop)
        self._control.setblocking(False)
        loop.add_reader(self._control.fileno(), self._readable)
        self._process.on_exit(self._over.set)
        self._idle = loop.call_later(IDLE_S, self.retire)
        self.keeper = loop.create_task(self._keep())

    async def fork(self, descriptors: Sequence[int]) -> Forked:
        self._idle.cancel()
        self._idle = self._loop.call_later(IDLE_S, self.retire)
        answer: asyncio.Future[Forked] = self._loop.create_future()
        try:
            socket.send_fds(self._control, [b"f"], list(descriptors))
        except OSError as error:
            self._end()
            raise GoneError(f"it takes no request: {error.strerror}") from error
        self._answers.append(answer)
        self._left -= 1
        if not self._left:
            self.retire()
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except BaseException as error:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                discard(answer.result().pidfd)  # it came in the very turn of the loop in which we were cancelled
            if not isinstance(error, TimeoutError):
                raise
            self._end()
            raise GoneError(f"it did not answer within {ANSWER_S:g} s") from None

    def retire(self) -> None:
        """It gets no more requests, and ends when it has answered those it has."""
        self.usable = False
        self._idle.cancel()
        if not self._answers:
            self._over.set()

    def _end(self) -> None:
        self.usable = False
        self._over.set()

    def _readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, _NUMBER, 1, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, descriptors = b"", []
        if len(data) != _NUMBER:
            self._loop.remove_reader(self._control.fileno())
            self._end()
            return
        number = int.from_bytes(data, sys.byteorder, signed=True)
        if not self.ready and number == 0:
            self.ready = True
            return
        answer = self._answers.popleft()
        if number > 0:
            self._take(answer, number, descriptors)
        elif not answer.done():
            answer.set_exception(_error(-number))
        if not self.usable and not self._answers:
            self._over.set()

    def _take(self, answer: "asyncio.Future[Forked]", pid: int, descriptors: list[int]) -> None:
        self._known.add(pid)
        if not descriptors:  # we have no room for one: nobody else can have waited for it, so the number is still its
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            if not answer.done():
                answer.set_exception(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
        elif answer.done():  # whoever asked has given up
            discard(descriptors[0])
        else:
            answer.set_result(Forked(pid=pid, pidfd=descriptors[0]))

    async def _keep(self) -> None:
        try:
            await self._over.wait()
        finally:
            self.usable = False
            self._idle.cancel()
            self._loop.remove_reader(self._control.fileno())
            self._control.close()
            # Cancelled, it goes on: the loop ends just now, and with it whoever would wait for this process.
            with contextlib.suppress(asyncio.CancelledError):
                await self._copies_have_left()
            self._process.signal_group(signal.SIGKILL)
            with contextlib.suppress(asyncio.CancelledError):
                await self._process.wait(REAP_S)
            await self._process.wait(REAP_S)
            code = self._process.reap()
            self._log.close()
            if self._answers:
                await self._leave_unanswered(code)

    async def _copies_have_left(self) -> None:
        """None is in its process group any more, which is killed now, and again by its lifeline when that is closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                while any(_group_of(pid) == self._process.pid for pid in self._known):  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(LOOK_S)

    async def _leave_unanswered(self, code: int | None) -> None:
        why = self._log.text().strip().replace("\n", "; ") or f"it ended with {code}"
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(GoneError(why))
        await aside(discard_lost, self._name, self._known | {self._process.pid})


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _error(number: int) -> Exception:
    if number in _STRUCTURAL:
        return _RefusedError(f"clone: {os.strerror(number)}")
    return OSError(number, os.strerror(number))

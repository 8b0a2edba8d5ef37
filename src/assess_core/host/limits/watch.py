"""A worker is looked at while it lives: often during a call, now and then between two, and ended when it is beyond.

    watch = Watch(process.pid, bounds=Bounds(limits=manifest.limits), scratch=scratch, loop=loop, on_finding=end)
    watch.begin(cpu_limit_s=60.0)       # a start, or a call
    watch.rest()                        # it is over: looked at once more, then seldom
    watch.close()

Each worker has a thread for this: a look reads /proc, which is quick, and the scratch directory, which may lie on a
disk that hangs, and neither the loop nor another worker's watch waits for that. A worker can be beyond a limit for as
long as lies between two looks; RLIMIT_DATA and RLIMIT_FSIZE bound what it can get hold of in that time.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assess_core.host.limits.bounds import Bounds, Excess, Usage
from assess_core.host.limits.process import GoneError, Seen, UnwatchableError, WatchedProcess
from assess_core.host.limits.share import Share
from assess_core.host.limits.tree import UnmeasurableError, tree_bytes

logger = logging.getLogger(__name__)

LOOK_S = 0.2
"""Between two looks during a call. A process can touch some 400 MiB of new memory in that time. Measured, 32 workers
that had numpy loaded, on a busy machine: 7 % of a processor during calls, 1.5 % idle, the loop as late as without."""

REST_S = 1.0
"""Between two looks at an idle worker: threads that a plugin left behind are its own, too."""

SCAN_SHARE = 20
"""A tree that takes long to count is counted again after so many times as long: that is 5 % of a processor."""

UNREAD_NS = 300_000
"""Of processor time, in which a process can touch some 3 MiB of new memory; reading what it has had takes 15 us or
more of the loop, and as much of what a short call takes."""

HALTED_LOOKS = 2
"""In a row at which a process is stopped, and it is taken to stay so: nobody lets it go on."""


@dataclass(frozen=True, slots=True)
class Halted:
    """The process was stopped (SIGSTOP) and stays so."""


Finding = Excess | Halted | UnwatchableError
"""What ends a worker: a limit, that it stands still, or that we may not look whether it keeps its limits."""


class Watch:
    """Looks at one worker until it is closed, the worker is gone, or `on_finding` was told, on the loop's thread."""

    def __init__(
        self,
        pid: int,
        *,
        bounds: Bounds,
        scratch: Path,
        loop: asyncio.AbstractEventLoop,
        on_finding: Callable[[Finding], None],
    ) -> None:
        self._bounds = bounds
        self._scratch = str(scratch)
        self._loop = loop
        self._on_finding = on_finding
        self._cpu = (0.0, float("inf"))  # counted from, and the limit: one value, as two threads use it
        self._called, self._resting = False, True
        self._halted_looks = 0
        self._peak_bytes, self._peak_cpu_ns = 0, -UNREAD_NS
        self._scan_at = 0.0
        self._scratch_bytes, self._unmeasurable = 0, ""
        self._wake = threading.Event()
        self._letting_go = threading.Lock()
        self._closed = self._over = False
        try:
            self._process = WatchedProcess(pid, scratch=self._scratch)
            self._share = Share(pid)
        except OSError as error:
            self._over = True
            loop.call_soon(on_finding, UnwatchableError(str(error)))
            return
        threading.Thread(target=self._run, name=f"assess-watch-{pid}", daemon=True).start()

    def begin(self, *, cpu_limit_s: float, cpu_from_s: float | None = None) -> None:
        """Looks are frequent; processor time counts from now, or from what the caller knows to have been used."""
        if cpu_from_s is not None:
            self._cpu = (cpu_from_s, cpu_limit_s)
        else:
            with self._letting_go, contextlib.suppress(GoneError, UnwatchableError):
                if not self._over:
                    self._cpu = (self._process.cpu_s(), cpu_limit_s)
        self._called = True
        if self._resting:  # else it is about to look: a thread that is woken in each short call costs three of them
            self._wake.set()

    def rest(self) -> None:
        """One more look, when it is due, then a few."""
        self._called = False

    def peak_bytes(self, *, cpu_ns: int | None = None) -> int:
        """The most memory that it is known to have had at one time, also when it is dead; asked in each call.

        Told how much processor time it has used by now, we do not read again what so little can hardly have changed.
        """
        if cpu_ns is not None and cpu_ns - self._peak_cpu_ns < UNREAD_NS:
            return self._peak_bytes
        with self._letting_go, contextlib.suppress(GoneError):
            if not self._over:
                self._peak_bytes = max(self._peak_bytes, self._process.peak_bytes())
                self._peak_cpu_ns = cpu_ns or 0
        return self._peak_bytes

    def is_halted(self) -> bool:
        """Whether it stands still at this moment."""
        with self._letting_go, contextlib.suppress(GoneError):
            return not self._over and self._process.is_stopped()
        return False

    def close(self) -> None:
        """Nothing is looked at any more, but for a look that is under way; idempotent."""
        self._closed = True
        self._on_finding = _nobody
        self._wake.set()

    def _run(self) -> None:
        try:
            while not self._closed:
                resting = not self._called
                if resting and not self._resting:
                    self._scan_at = 0.0
                self._resting = resting
                finding = self._look()
                if finding is not None:
                    self._tell(finding)
                    return
                # a call that began since then has either seen that we rest, and wakes us, or is seen here
                self._wake.wait(REST_S if self._resting and not self._called else LOOK_S)
                self._wake.clear()
        except GoneError:
            pass
        except UnwatchableError as error:
            self._tell(error)
        except Exception as error:  # ours, or the disk's: nobody runs unwatched because of it
            logger.exception("Looking at the worker in %s failed.", self._scratch)
            self._tell(UnwatchableError(str(error)))
        finally:
            with self._letting_go:
                self._over = True
                self._process.close()

    def _tell(self, finding: Finding) -> None:
        if not self._closed:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the worker with it
                self._loop.call_soon_threadsafe(self._on_finding, finding)

    def _look(self) -> Excess | Halted | None:
        counted_from, cpu_limit_s = self._cpu  # before the look: what is counted from later would be subtracted twice
        seen = self._process.look()
        self._peak_bytes = max(self._peak_bytes, seen.memory_bytes)
        self._share.hold(seen.threads)
        self._halted_looks = self._halted_looks + 1 if seen.stopped else 0
        if self._halted_looks >= HALTED_LOOKS:
            return Halted()
        self._count_scratch()
        usage = Usage(
            memory_bytes=seen.memory_bytes,
            cpu_s=seen.cpu_s - counted_from,
            threads=seen.threads,
            descriptors=seen.descriptors,
            scratch_bytes=self._scratch_bytes + seen.unlinked_bytes + self._hidden_bytes(seen),
            unmeasurable=self._unmeasurable,
        )
        return self._bounds.excess(usage, cpu_limit_s=cpu_limit_s)

    def _hidden_bytes(self, seen: Seen) -> int:
        """A file whose size we are not told may be as large as a file can be; what is in flight may hide any number."""
        largest = self._bounds.scratch_bytes
        return seen.unseen_files * largest + seen.in_flight * (largest + 1)

    def _count_scratch(self) -> None:
        began = time.monotonic()
        if began < self._scan_at:
            return
        try:
            self._scratch_bytes = tree_bytes(self._scratch, enough=self._bounds.scratch_bytes)
        except UnmeasurableError as error:
            self._unmeasurable = str(error)
        except FileNotFoundError:  # removed: it is at its end
            return
        self._scan_at = time.monotonic() + SCAN_SHARE * (time.monotonic() - began)


def _nobody(_finding: Finding) -> None:
    """It is closed."""

"""How much of the processor a worker gets while others want it: as much with many threads as with one.

    share = Share(pid)
    share.hold(seen.threads)            # at each look

The kernel shares a processor between threads, by their nice value: each step up is a fifth less. What keeps a process
with many of them from its neighbours elsewhere, a group for each session (autogroup), does not reach into a control
group, such as a service or a container has. A worker begins `NICER` than the runtime (`assess_plugin.worker.serve`).
"""

import contextlib
import math
import os

_STEP = 1.25
"""What a step of the nice value is worth (sched(7))."""

_NICEST = 19


class Share:
    """Of one worker that has loaded nothing yet."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._may = True
        self._first = self._now = os.getpriority(os.PRIO_PROCESS, pid)

    def hold(self, threads: int) -> None:
        """All its threads together weigh as much as its first one did alone; never less nice than before.

        Only a runtime with CAP_SYS_NICE could give back what it took, and one that is root without it - workers have
        user ids of their own - can take nothing: then all stays as it is.
        """
        nice = nice_of(threads, self._first)
        if nice <= self._now or not self._may:
            return
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it is dead
            for thread in os.listdir(f"/proc/{self._pid}/task"):  # noqa: PTH208  numbers, which have no paths
                self._make_nicer(int(thread), nice)
            self._now = nice

    def _make_nicer(self, thread: int, nice: int) -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, thread, nice)
        except ProcessLookupError:  # it has ended meanwhile
            pass
        except PermissionError:
            self._may = False


def nice_of(threads: int, first: int) -> int:
    """The nice value with which so many threads weigh no more than one with the value `first`."""
    return min(_NICEST, first + math.ceil(math.log(max(threads, 1), _STEP)))

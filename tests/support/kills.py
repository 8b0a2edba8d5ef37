"""`kill -9` between any two file-system calls: the work runs in a child that ends itself before its n-th call.

What SQLite does to its files is its own; of that a statement counts as a call.
"""

import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator

_EVENTS = frozenset(
    (
        *("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink"),
        *("os.truncate", "os.chmod", "os.utime", "fcntl.flock"),
    )
)
"""Audit events of calls that change, or decide what a later call changes; writing and syncing has none."""

ALIKE = 4
"""After so many kills the distance of the next ones doubles."""

LAST = 4
"""Calls at the end, before each of which a sweep kills however far it jumps."""


def killed_before(step: int, work: Callable[[], object]) -> bool:
    """Whether the work was killed before its n-th call; False when it had ended by then.

    Raises:
        AssertionError: it failed by itself.
    """
    child = os.fork()
    if child == 0:
        _run(step, work)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), f"the work failed: exit {code}"
    return code != 0


def stride(usual: int) -> int:
    """Before every how manieth call a long sweep kills: ASSESS_TEST_STRIDE=1 asks for every one."""
    return int(os.environ.get("ASSESS_TEST_STRIDE", str(usual)))


def steps(
    work: Callable[[], object], prepare: Callable[[], object], *, every: int = 1, evenly: bool = False
) -> Iterator[int]:
    """Numbers of calls before which the work can be killed, rising; it just was. `prepare` comes before each.

    The first of them are `every` apart, and the longer the work, the further apart the next, unless all of it has to be
    looked at `evenly`. The end is never left out: what makes work count is mostly its last call but a few. Under
    ASSESS_TEST_STRIDE the distance stays what it is.
    """
    evenly = evenly or "ASSESS_TEST_STRIDE" in os.environ
    step, last, kills = 1, 0, 0
    prepare()
    while killed_before(step, work):
        yield step
        prepare()
        kills += 1
        step, last = step + every * (1 if evenly else 2 ** (kills // ALIKE)), step
    low, high = last, step
    while high - low > 1:  # the last call is looked for by halves
        middle = (low + high) // 2
        prepare()
        low, high = (middle, high) if killed_before(middle, work) else (low, middle)
    for near in range(max(low - LAST, last) + 1, low + 1):
        prepare()
        if killed_before(near, work):
            yield near


def _run(step: int, work: Callable[[], object]) -> None:
    left = step

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        # Reading changes nothing; the flags of an `open` say what it is for.
        if event in _EVENTS and not (event == "open" and _reads(arguments)):
            count()

    def counting(call: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object) -> object:
            count()
            return call(*arguments)

        return counted

    connect = sqlite3.connect

    def connected(*arguments: object, **options: object) -> sqlite3.Connection:
        connection = connect(*arguments, **options)  # type: ignore[call-overload]
        connection.set_trace_callback(lambda _: count())
        return connection  # type: ignore[no-any-return]

    code = 1
    try:
        os.fsync = counting(os.fsync)  # type: ignore[assignment]
        sqlite3.connect = connected  # type: ignore[assignment]
        sys.addaudithook(hook)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _reads(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2] if len(arguments) > 2 else 0
    return isinstance(flags, int) and not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)

"""`kill -9` between any two file-system calls: the work runs in a child that ends itself before its n-th call."""

import os
import signal
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


def steps(work: Callable[[], object], prepare: Callable[[], object], *, every: int = 1) -> Iterator[int]:
    """Every n, or every `every`th and all after the last of those, at which the work can be killed; it just was.

    `prepare` comes before each. The end is never left out: what makes work count is mostly its last call but a few.
    """
    step, last = 1, 0
    prepare()
    while killed_before(step, work):
        yield step
        prepare()
        step, last = step + every, step
    for between in range(last + 1, step):
        prepare()
        if not killed_before(between, work):
            return
        yield between


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

    code = 1
    try:
        os.fsync = counting(os.fsync)  # type: ignore[assignment]
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

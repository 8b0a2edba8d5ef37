"""The clock: everything that expires goes by it."""

import ctypes
from collections.abc import Iterator

from assess_core.clock import utc_now
from assess_core.doctor.values import Line
from assess_core.runtime import Runtime

TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised with anything."""

_TIMEX_BYTES = 512
"""More than `struct timex` has anywhere (208 on 64-bit Linux); zeroed, it asks and changes nothing."""


def lines(runtime: Runtime) -> Iterator[Line]:
    """What time it is, and whether anything keeps it right. That it went back is said of the registry's word."""
    del runtime
    now = f"{utc_now():%Y-%m-%d %H:%M:%S} UTC"
    match synchronised():
        case None:
            yield Line(topic="clock", state="ok", text=f"{now}; the kernel does not say whether it is synchronised")
        case True:
            yield Line(topic="clock", state="ok", text=f"{now}, synchronised")
        case False:
            fix = "run chrony or systemd-timesyncd; with a wrong clock what expired is taken for valid, or the reverse"
            yield Line(topic="clock", state="warn", text=f"{now}, synchronised with nothing", fix=fix)


def synchronised() -> bool | None:
    """Whether the kernel says that something keeps the clock right; None where it cannot be asked."""
    try:
        answer: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):  # no such function
        return None
    return None if answer < 0 else answer != TIME_ERROR

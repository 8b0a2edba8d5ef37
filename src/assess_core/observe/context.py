"""Which run a log record belongs to, without handing it through every call.

    with about(run_id, "host"):
        ...                       # whatever logs below, in this task and in what it starts, bears both

Context variables follow tasks and `asyncio.to_thread`; a thread that is made otherwise begins without one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """The run that is being done."""

    run_id: str
    assessment: str


_about: ContextVar[About | None] = ContextVar("assess_about", default=None)


@contextmanager
def about(run_id: str, assessment: str) -> Iterator[None]:
    """Inside, records belong to this run."""
    token = _about.set(About(run_id=run_id, assessment=assessment))
    try:
        yield
    finally:
        _about.reset(token)


def what_about() -> About | None:
    """The run of whoever asks."""
    return _about.get()

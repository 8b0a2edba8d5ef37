"""Exceptions by which a hook shows that it met one of its limits in the kernel, and where that limit is written.

The worker lives and the call has failed by what its code did not catch: `MemoryError` where no more memory could be
mapped, and so on. Read in the reason that the worker gave; a plugin that raises them for fun is told the same.
"""

import re

from assess_core.host.limits.bounds import place
from assess_registry.client import Limits

_SIGNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?:_Array)?MemoryError\b"), "memory_mib"),
    (re.compile(r"OSError: \[Errno 12\]"), "memory_mib"),
    (re.compile(r"OSError: \[Errno 24\]"), "descriptors"),
    (re.compile(r"OSError: \[Errno 27\]"), "scratch_mib"),
    (re.compile(r"RuntimeError: can't start new thread"), "threads"),
)


def hint(reason: str, limits: Limits, whose: str) -> str:
    """Which limit an exception speaks of, and where to change it; empty when of none."""
    for sign, key in _SIGNS:
        if sign.match(reason):
            return place(key, getattr(limits, key), whose)
    return ""

"""How much later than it is due an assessment begins on this runtime: always the same, and another elsewhere.

A thousand machines with the same configuration do not begin at the same moment. The amount is made from names alone, so
that it survives restarts without being kept, and moves the beginning only: ids are made of due times, and stay.
"""

import hashlib
from datetime import timedelta

from assess_core.schedule.spec import Spec

LARGEST = timedelta(seconds=300)
"""Of what `every` has unless something else is said: nobody expects a run of each day to come an hour late."""

_MICROSECOND = timedelta(microseconds=1)


def usual_jitter(spec: Spec) -> timedelta:
    """The bound where none is configured: nothing for a time of day, a tenth of the period for `every`."""
    return timedelta(0) if spec.period is None else min(spec.period / 10, LARGEST)


def offset(runtime: str, assessment: str, bound: timedelta) -> timedelta:
    """Less than the bound, in whole microseconds; nothing if the bound is nothing."""
    if not bound:
        return timedelta(0)
    digest = hashlib.sha256(f"assess-jitter\0{runtime}\0{assessment}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (bound // _MICROSECOND) * _MICROSECOND

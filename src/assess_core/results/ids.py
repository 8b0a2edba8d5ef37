"""Identifiers made from what they identify, so that recording the same thing twice is recording it once.

`run_id` from (runtime, assessment, due time), `result_id` from (run, subject, check), `finding_id` from (subject,
check). The last is the same in every run and shows drift.
"""

import hashlib
import json
from datetime import datetime
from uuid import UUID

from assess_core.clock import timestamp

NAMESPACE = UUID("6b1f5d0e-8f0a-5c39-9f7c-0f3b6b9a4d21")
"""Namespace of every identifier made here (RFC 9562, version 5). Changing it disowns everything recorded so far."""

_NAMESPACE_SHA1 = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)


def run_id(runtime: str, assessment: str, due_at: datetime) -> str:
    """The id of one assessment at one due time, in one runtime."""
    return identify("run", runtime, assessment, timestamp(due_at, timespec="microseconds"))


def result_id(run_id: str, subject: str, check: str) -> str:
    """The id of one check on one subject in one run."""
    return identify("result", run_id, subject, check)


def finding_id(subject: str, check: str) -> str:
    """The id of one check on one subject, the same in every run."""
    return identify("finding", subject, check)


def identify(kind: str, *parts: str) -> str:
    """A name-based UUID of these parts in this order.

    The parts are encoded as a JSON array in ASCII: joining them with any separator would give `("a:b", "c")` and
    `("a", "b:c")` one id, and ASCII gives every string an encoding, lone surrogates included.
    """
    # What `uuid.uuid5` does, with the namespace hashed once and the text written directly: a third of its time, and two
    # of these are made for every result (measured: docs/benchmarks.md). A test holds it to `uuid.uuid5`.
    digest = _NAMESPACE_SHA1.copy()
    digest.update(json.dumps([kind, *parts]).encode("ascii"))
    text = digest.hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"

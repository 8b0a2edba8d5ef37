"""What is on record of a call to a plugin, also of a failed one: no answer is no reason to forget what it touched."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """One use of the host: `{"open": "/etc/passwd"}`, `{"run": ["sshd", "-T"], "exit_code": 0}`, `{"denied": {...}}`.

    `check` is the one it was made for, None when the plugin did not say.
    """

    check: str | None
    what: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceData:
    """A piece of evidence, whole; `check` is the one it was handed over for, None when the plugin did not say."""

    name: str
    media_type: str
    data: bytes
    check: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What held a plugin while it ran.

    Attributes:
        isolation: `full`, or `none`.
        user: `uid:N`, whose rights it had.
        landlock_abi: version of the kernel's Landlock that was used; 0 without isolation.
    """

    isolation: Literal["full", "none"]
    user: str
    landlock_abi: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """What a call used.

    Attributes:
        cpu_ms: of its process from the call's beginning to its end, all threads, user's and system's together.
        memory_mib: the most that its process had, in this call or before.
    """

    cpu_ms: float
    memory_mib: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRecord:
    """What was done in a call, as far as it came, and under which circumstances.

    Attributes:
        provenance: in the order of use; of a call that was cut short, the use that was under way is the last.
        evidence: by name.
        held: by what, from its start on.
        used: None when there was no process to measure.
    """

    provenance: tuple[Provenance, ...]
    evidence: Mapping[str, EvidenceData]
    started_at: datetime
    duration_ms: int
    held: Held
    used: Used | None = None

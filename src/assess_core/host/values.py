"""What a call to a plugin leaves behind: its output, what it did, what it handed over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assess_plugin.models import ActionOutput, EvaluateResult, LogLevel


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """One use of the host: `{"open": "/etc/passwd"}`, `{"run": ["sshd", "-T"], "exit_code": 0}`, `{"denied": {...}}`.

    `check` is the one it was made for, None when the plugin did not say.
    """

    check: str | None
    what: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceData:
    """A piece of evidence, whole."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRecord:
    """What was done in a call, and under which circumstances.

    Attributes:
        provenance: in the order of use.
        evidence: by name.
        isolation: `none` until workers are confined.
        user: `uid:N`, whose rights the plugin had.
    """

    provenance: tuple[Provenance, ...]
    evidence: Mapping[str, EvidenceData]
    started_at: datetime
    duration_ms: int
    isolation: str
    user: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CallReport(CallRecord):
    """A subject was assessed: one result for each check asked for, in that order."""

    output: ActionOutput


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateReport(CallRecord):
    """Subjects were looked for."""

    result: EvaluateResult


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a call has come; `note` is one clean line."""

    done: int
    total: int
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """One clean line from the plugin."""

    level: LogLevel
    message: str


OnEvent = Callable[[Progress | LogLine], None]
"""Told of a call's notices as they come, on the loop's thread; must not block."""

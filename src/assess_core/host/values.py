"""What a call to a plugin comes to: its output with the record of it, and what it says meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass

from assess_core.call_record import CallRecord
from assess_plugin.models import ActionOutput, EvaluateResult, LogLevel


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

"""What an assess plugin is written against: `hookimpl`, the values it takes and returns, and its host."""

from assess_plugin.checks import Checks
from assess_plugin.hookspecs import hookimpl
from assess_plugin.models import (
    API_VERSION,
    ActionInput,
    ActionOutput,
    CheckResult,
    CommandResult,
    Denied,
    EvaluateInput,
    EvaluateResult,
    Evidence,
    FileStatus,
    Host,
    HostError,
    Outcome,
    Subject,
)

__all__ = [
    "API_VERSION",
    "ActionInput",
    "ActionOutput",
    "CheckResult",
    "Checks",
    "CommandResult",
    "Denied",
    "EvaluateInput",
    "EvaluateResult",
    "Evidence",
    "FileStatus",
    "Host",
    "HostError",
    "Outcome",
    "Subject",
    "hookimpl",
]

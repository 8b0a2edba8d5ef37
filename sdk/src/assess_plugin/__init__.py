"""What an assess plugin is written against: `hookimpl`, the values it takes and returns, and its host."""

from assess_plugin.checks import Checks
from assess_plugin.hookspecs import hookimpl
from assess_plugin.models import (
    API_VERSION,
    MAX_TEXT,
    ActionInput,
    ActionOutput,
    Attribution,
    CheckResult,
    CommandResult,
    Denied,
    EvaluateInput,
    EvaluateResult,
    Evidence,
    FileStatus,
    Host,
    HostError,
    LogLevel,
    Outcome,
    Subject,
    SubjectType,
)

__all__ = [
    "API_VERSION",
    "MAX_TEXT",
    "ActionInput",
    "ActionOutput",
    "Attribution",
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
    "LogLevel",
    "Outcome",
    "Subject",
    "SubjectType",
    "hookimpl",
]

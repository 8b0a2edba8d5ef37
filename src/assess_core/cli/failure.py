"""Errors of every layer, as people and programs read them, each with its exit code."""

from collections.abc import Mapping

from assess_core.errors import EXIT_DAMAGED, AssessError, ConfigError, JournalDamagedError, PluginFault
from assess_registry.client import ConfigError as RegistryConfigError
from assess_registry.client import RegistryError, TransportError, TrustError
from assess_registry.console import EXIT_OPERATIONAL, EXIT_REFUSED, EXIT_USAGE, Failure, os_error_message


def explain(error: Exception) -> Failure | None:
    """The failure this error is; None for a bug of ours."""
    match error:
        case TrustError():
            return _failure("trust", error, EXIT_REFUSED, refusal(error))
        case ConfigError() | RegistryConfigError():
            return _failure("configuration", error, EXIT_USAGE, {"problems": list(error.problems)})
        case TransportError():
            return _failure("transport", error, EXIT_OPERATIONAL, {"url": error.url})
        case PluginFault():
            fault = {
                "plugin": error.plugin,
                "phase": error.phase,
                "fault": error.kind.value,
                "hint": error.hint,
                "log": error.log_tail,
            }
            return _failure("plugin", error, EXIT_OPERATIONAL, fault)
        case JournalDamagedError():
            return _failure("damaged", error, EXIT_DAMAGED, {})
        case AssessError() | RegistryError():
            return _failure("operational", error, EXIT_OPERATIONAL, {})
        case OSError():
            details = {"path": str(error.filename or "")}
            return Failure(kind="system", message=os_error_message(error), exit_code=EXIT_OPERATIONAL, details=details)
        case _:
            return None


def refusal(error: TrustError) -> dict[str, object]:
    """What was refused, value by value, for programs."""
    details = {name: getattr(error, name) for name in ("step", "thing", "expected", "got", "next_step")}
    issues = [
        {"id": issue.id, "entry": issue.entry, "message": issue.message, "rule": issue.rule} for issue in error.issues
    ]
    return {**details, "issues": issues}


def _failure(kind: str, error: Exception, exit_code: int, details: Mapping[str, object]) -> Failure:
    return Failure(kind=kind, message=str(error), exit_code=exit_code, details=details)

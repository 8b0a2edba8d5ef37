"""Errors as people and programs read them, each with its exit code."""

import json
from typing import Any, Never, assert_never

import click

from assess_core.errors import AssessError, ConfigError, PluginFault
from assess_registry.client import ConfigError as RegistryConfigError
from assess_registry.client import RegistryError, TransportError, TrustError

OPERATIONAL, USAGE, REFUSED = 1, 2, 5

Known = click.ClickException | AssessError | RegistryError | OSError


def report(error: Exception, *, output: object) -> int:
    """The error has been printed in the form that was asked for; returns the exit code.

    Raises:
        Exception: the error itself, when it is a bug of ours: those stay loud.
    """
    if not isinstance(error, Known):
        raise error
    kind, code, details = _classify(error)
    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    if output not in (None, "table"):
        document = {"schema": 1, "error": {"kind": kind, "message": message, "exit": code, **details}}
        click.echo(json.dumps(document, indent=2))
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
    click.echo(f"assess: {_label(kind)}{message}", err=True)
    return code


def _classify(error: Known) -> tuple[str, int, dict[str, Any]]:
    match error:
        case TrustError():
            details = {name: getattr(error, name) for name in ("step", "thing", "expected", "got", "next_step")}
            issues = [
                {"id": issue.id, "entry": issue.entry, "message": issue.message, "rule": issue.rule}
                for issue in error.issues
            ]
            return "trust", REFUSED, {**details, "issues": issues}
        case ConfigError() | RegistryConfigError():
            return "configuration", USAGE, {"problems": list(error.problems)}
        case click.UsageError():
            return "usage", USAGE, {}
        case TransportError():
            return "transport", OPERATIONAL, {"url": error.url}
        case PluginFault():
            return "plugin", OPERATIONAL, {"plugin": error.plugin, "phase": error.phase, "fault": error.kind.value}
        case click.ClickException() | AssessError() | RegistryError() | OSError():
            return "operational", OPERATIONAL, {}
        case _:
            return _never(error)


def _never(error: Never) -> Never:
    assert_never(error)


def _label(kind: str) -> str:
    return "" if kind in ("operational", "usage") else f"{kind}: "

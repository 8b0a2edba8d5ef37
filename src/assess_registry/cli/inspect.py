"""`assess-registry inspect WHEEL...`."""

import dataclasses
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from assess_registry.cli.options import output_option
from assess_registry.console import print_json
from assess_registry.errors import ConfigError, WheelError
from assess_registry.files import read_bounded
from assess_registry.lock import specifier_text
from assess_registry.manifest import Limits, Manifest, Permissions
from assess_registry.text import plain, table
from assess_registry.verdict import quoted_path
from assess_registry.wheel import MAX_WHEEL_BYTES, InspectedWheel, Kind, inspect

REFUSED = 5


@click.command("inspect")
@click.argument("wheels", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--as",
    "kind",
    type=click.Choice(["plugin", "dependency"]),
    default="plugin",
    show_default=True,
    help="Rules to hold the wheels to.",
)
@output_option
def command(wheels: tuple[Path, ...], kind: Kind, output: str) -> int:
    """Say what each WHEEL holds and asks for, or everything that is wrong with it. Nothing of it is run.

    Exits 5 when any of them would be refused.
    """
    findings = [_inspect(path, kind) for path in wheels]
    if output == "json":
        print_json({"wheels": [_document(finding) for finding in findings]})
    else:
        click.echo("\n\n".join(_text(finding) for finding in findings))
    return REFUSED if any(isinstance(finding, WheelError) for finding in findings) else 0


def _inspect(path: Path, kind: Kind) -> InspectedWheel | WheelError:
    try:
        return inspect(read_bounded(path, MAX_WHEEL_BYTES), path.name, kind=kind)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except WheelError as error:
        return error


def _document(finding: InspectedWheel | WheelError) -> dict[str, Any]:
    if isinstance(finding, WheelError):
        issues = [
            {"id": issue.id, "entry": issue.entry, "message": issue.message, "rule": issue.rule}
            for issue in finding.issues
        ]
        return {"filename": finding.filename, "accepted": False, "issues": issues}
    return {
        "filename": finding.filename,
        "accepted": True,
        "project": finding.project,
        "version": finding.version,
        "tags": sorted(str(tag) for tag in finding.tags),
        "requires_python": specifier_text(finding.requires_python),
        "requires": sorted(str(requirement) for requirement in finding.requires_dist),
        "sha256": finding.sha256,
        "size": finding.size,
        "files": len(finding.entries),
        "entry_points": [
            {"group": point.group, "name": point.name, "value": point.value} for point in finding.entry_points
        ],
        "left_out": list(finding.left_out),
        "manifest": None if finding.manifest is None else _manifest_document(finding.manifest),
    }


def _manifest_document(manifest: Manifest) -> dict[str, Any]:
    asked = manifest.permissions
    return {
        "api": specifier_text(manifest.api),
        "title": manifest.title,
        "summary": manifest.summary,
        "checks": [
            {
                "id": check.id,
                "plugin": check.plugin,
                "title": check.title,
                "severity": check.severity,
                "controls": list(check.controls),
            }
            for check in manifest.checks
        ],
        "settings": [setting.name for setting in manifest.settings],
        "permissions": {
            "read": list(asked.read),
            "stat": list(asked.stat),
            "commands": [list(pattern) for pattern in asked.commands],
            "network": list(asked.network),
            "env": list(asked.env),
            "secrets": list(asked.secrets),
        },
        "limits": dataclasses.asdict(manifest.limits),
    }


def _text(finding: InspectedWheel | WheelError) -> str:
    if isinstance(finding, WheelError):
        heading = f"{plain(finding.filename)}: would be refused, {len(finding.issues)} issue(s)"
        return "\n".join([heading, *(f"  - {plain(issue)}" for issue in finding.issues)])
    return table((plain(finding.filename), ""), _rows(finding), whole=True)


def _rows(wheel: InspectedWheel) -> Iterator[tuple[str, object]]:
    yield "project", f"{wheel.project} {wheel.version}"
    yield "tags", " ".join(sorted(str(tag) for tag in wheel.tags))
    yield "python", specifier_text(wheel.requires_python) or "any"
    yield "sha256", wheel.sha256
    yield "size", f"{wheel.size} bytes in {len(wheel.entries)} files"
    for requirement in sorted(str(requirement) for requirement in wheel.requires_dist):
        yield "requires", requirement
    for point in wheel.entry_points:
        yield "entry point", f"{point.group}: {point.name} = {point.value}"
    for path in wheel.left_out:
        yield "never unpacked", path
    if wheel.manifest is not None:
        yield from _manifest_rows(wheel.manifest)


def _manifest_rows(manifest: Manifest) -> Iterator[tuple[str, object]]:
    yield "title", manifest.title
    yield "summary", manifest.summary
    for check in manifest.checks:
        yield "check", f"{check.id} ({check.severity}, {check.plugin}): {check.title}"
    for setting in manifest.settings:
        yield "setting", setting.name + (" (secret)" if setting.secret else "")
    for sentence in permission_sentences(manifest.permissions):
        yield "permission", sentence
    yield "limits", _limits(manifest.limits)


def _limits(limits: Limits) -> str:
    processor = "" if limits.cpu_s is None else f", {limits.cpu_s:g} s of processor time"
    return (
        f"{limits.memory_mib} MiB, {limits.timeout_s:g} s a call{processor}, "
        f"{limits.scratch_mib} MiB of scratch space, {limits.threads} threads, {limits.descriptors} descriptors"
    )


def permission_sentences(permissions: Permissions) -> Iterator[str]:
    """What it asks for, one sentence each, for a person who has to decide."""
    for path in permissions.read:
        yield f"may read {quoted_path(path)} and everything below it"
    for path in permissions.stat:
        yield f"may see owner, mode and size of {quoted_path(path)} and what is below it, not its content"
    for pattern in permissions.commands:
        words = " ".join("<any one argument>" if word == "*" else shlex.quote(word) for word in pattern)
        yield f"may run: {words}"
    for address in permissions.network:
        yield f"may connect to {address}"
    for name in permissions.env:
        yield f"is given the environment variable {name}"
    for name in permissions.secrets:
        yield f"is told the secret {name}"
    if permissions == Permissions():
        yield "asks for nothing: no files, commands, network or variables"

"""A check run on a wheel that was really built and inspected."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from assess_registry.audit.context import Check, Context
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.wheel import inspect, unpacked_files
from tests.support.wheels import DEMO_SOURCE, WheelBuilder, demo_manifest

PERMISSIONS = 'read = ["/proc/sys"]\nstat = ["/etc/shadow"]\ncommands = [["uname", "-s"], ["rpm", "-q", "*"]]\n'


def subject_of(builder: WheelBuilder, *, closure: tuple[WheelBuilder, ...] = ()) -> Subject:
    """The built wheel as an audit sees it; nothing is on disk."""
    data = builder.build()
    wheel = inspect(data, builder.filename, kind="plugin")
    return Subject(
        wheel=wheel,
        data=data,
        files=tuple(unpacked_files(data, wheel)),
        unpacked=Path("/nonexistent"),
        closure=tuple(inspect(each.build(), each.filename, kind="dependency") for each in closure),
        as_of=date(2026, 11, 21),
    )


def plugin_with(source: str, permissions: str | None = None, **files: str | bytes) -> WheelBuilder:
    """The demo plugin with lines added to its module, and other files beside it in its package."""
    contents: Mapping[str, Any] = {f"demo_plugin/{name.replace('__', '.')}": data for name, data in files.items()}
    return WheelBuilder(
        files={"demo_plugin/__init__.py": DEMO_SOURCE + source, **contents},
        manifest=demo_manifest(permissions=permissions),
    )


def examined(check: Check, builder: WheelBuilder, context: Context | None = None) -> Examination:
    """What the check makes of the wheel."""
    return check.examine(subject_of(builder), context or Context())


def ids(found: Examination | tuple[Finding, ...]) -> list[str]:
    """Ids of the findings, each once, sorted."""
    findings = found.findings if isinstance(found, Examination) else found
    return sorted({finding.id for finding in findings})


def only(found: Examination, kind: str) -> Finding:
    """The one finding of this id."""
    (finding,) = [each for each in found.findings if each.id == kind]
    return finding

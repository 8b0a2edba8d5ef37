"""The code of a plugin's closure, read by the checks that read the plugin's own.

A dependency runs in the plugin's process, so what it does matters as much. But it was written for everybody: it may
carry native code, and its files are full of what bandit remarks on. So findings in it are held against another
measure, and there is one of each id for a wheel, which counts the others and names the first place:

- what is critical or high in a plugin is medium here, and so is native code: somebody has to look, and then accepts
  it for that wheel, for a time; a policy may name the id, `dependency-…`, and be stricter;
- of what the permissions check sees, only processes, sockets, native interfaces and hidden code are: text or data that
  is run or loaded as code. A library reads files, environments and frames for good reasons, and looks at itself;
- the rest is a note.

What could not be looked at leaves this examination incomplete. Bounds are of bytes and counts, never of time.
"""

import hashlib
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import assess_plugin
from assess_registry.audit.checks.permissions import NAME as PERMISSIONS
from assess_registry.audit.checks.permissions.hidden import FACT as HIDDEN
from assess_registry.audit.checks.permissions.kinds import DYNAMIC
from assess_registry.audit.checks.permissions.kinds import RULE as PERMISSIONS_RULE
from assess_registry.audit.context import Check, Context
from assess_registry.audit.examining import examination
from assess_registry.audit.findings import place
from assess_registry.audit.private_copy import private_copy
from assess_registry.audit.released import RELEASED
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.errors import WheelError
from assess_registry.manifest import SEVERITIES, Severity
from assess_registry.wheel import InspectedWheel, UnpackedFile, unpacked_files

NAME = "dependencies"

SAME_AS = "same_as"
"""A fact of a wheel whose code was not looked at, being ours: with what of ours it is the same."""

SDK = "assess-plugin"
"""The one dependency that is the runtime's own part: its wheel need not be given, for the runtime brings its copy."""

MAX_WHEELS = 100
MAX_BYTES = 512 << 20
"""Unpacked, of all wheels together."""

MAX_NAMED = 20
"""Reasons of one check on one wheel for not having looked at everything; the last one counts the rest."""

OUTSIDE = frozenset(("process-outside-host", "undeclared-socket", "socket-outside-host", "native-interface"))
"""What of the permissions check's findings somebody has to look at in a dependency, too."""

_RULE = "docs/audit.md: dependencies"
_ADVICE = "look at it, then accept it for this wheel and for a time, or depend on something else"


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What all checks said of one dependency."""

    findings: tuple[Finding, ...] = ()
    incomplete: tuple[str, ...] = ()
    facts: Mapping[str, object]
    tools: tuple[str, ...] = ()


Seen = MutableMapping[tuple[object, ...], Examination]
"""What one check said of one wheel already, by the wheel's digest and whatever else the answer depends on."""

OF_FILES_ALONE = frozenset(("wasm", "bandit", "secrets"))
"""Checks whose answers depend on nothing of the plugin and the policy; a wheel is given to their tools once."""


def examine_dependencies(
    subject: Subject,
    candidates: Mapping[str, bytes],
    *,
    checks: Sequence[Check],
    context: Context,
    seen: Seen,
    scratch: Path | None,
) -> Examination:
    """Every check on every wheel of the closure.

    Args:
        subject: the plugin; its closure says which wheels.
        candidates: filename -> bytes.
        checks: those that read code.
        context: as for the plugin.
        seen: answers given before, which are given again; new ones are added.
        scratch: as for `pipeline.audit`.
    """
    looked: list[Looked] = []
    incomplete: list[str] = []
    left = MAX_BYTES
    for number, wheel in enumerate(sorted(subject.closure, key=lambda each: each.filename)):
        size = sum(entry.size for entry in wheel.entries)
        if number >= MAX_WHEELS or size > left:
            bounds = f"{MAX_WHEELS} wheels and {MAX_BYTES} bytes unpacked are the most"
            incomplete.append(f"{wheel.filename} was not looked at: {bounds}")
            continue
        left -= size
        one = replace(subject, wheel=replace(wheel, manifest=subject.wheel.manifest), closure=())
        looked.append(_look(one, candidates, checks=checks, context=context, seen=seen, scratch=scratch))
    return Examination(
        check=NAME,
        findings=tuple(sorted((finding for each in looked for finding in each.findings), key=place)),
        incomplete=(*(reason for each in looked for reason in each.incomplete), *incomplete),
        facts={"wheels": [each.facts for each in looked]},
        tool=", ".join(sorted({tool for each in looked for tool in each.tools})),
    )


def _look(
    subject: Subject,
    candidates: Mapping[str, bytes],
    *,
    checks: Sequence[Check],
    context: Context,
    seen: Seen,
    scratch: Path | None,
) -> Looked:
    wheel = subject.wheel
    facts: dict[str, object] = {"filename": wheel.filename, "sha256": wheel.sha256}
    try:
        data = candidates[wheel.filename]
        files = tuple(sorted(unpacked_files(data, wheel), key=lambda file: file.path))
        if hashlib.sha256(data).hexdigest() != wheel.sha256:
            raise ValueError("it is another file than the one that was inspected")
    except (KeyError, ValueError, OSError, WheelError):
        reason = f"{wheel.filename} was not looked at: it changed while it was audited"
        return Looked(facts=facts, incomplete=(reason,))
    if same := _same_as(wheel, files):
        return Looked(facts=facts | {SAME_AS: same})
    keys = {check.NAME: _key(check, subject, context) for check in checks}
    missing = [check for check in checks if keys[check.NAME] not in seen]
    if missing:
        with private_copy(files, scratch) as root:
            dependency = replace(subject, data=data, files=files, unpacked=root, read={})
            seen.update({keys[check.NAME]: examination(check, dependency, context) for check in missing})
    said = [seen[keys[check.NAME]] for check in checks]
    return Looked(
        findings=tuple(finding for each in said for finding in _summary(wheel, each)),
        incomplete=tuple(reason for each in said for reason in _reasons(wheel, each)),
        facts=facts | {each.check: dict(each.facts) for each in said},
        tools=tuple(each.tool for each in said if each.tool),
    )


def _key(check: Check, subject: Subject, context: Context) -> tuple[object, ...]:
    """What the answer depends on. Of the plugin, that is what its manifest permits and which settings are secret."""
    wheel, manifest = subject.wheel, subject.wheel.manifest
    key = (check.NAME, wheel.filename, wheel.sha256)
    if check.NAME in OF_FILES_ALONE:
        return key
    secret = frozenset(each.name for each in manifest.settings if each.secret) if manifest else frozenset()
    return (*key, manifest.permissions if manifest else None, secret, context.native_allowed)


def _same_as(wheel: InspectedWheel, files: Iterable[UnpackedFile]) -> str:
    """What of ours it is, byte for byte: what this runtime brings into workers, or a release; empty for neither."""
    if wheel.project != SDK:
        return ""
    site = Path(assess_plugin.__file__).parent.parent
    inside = (file for file in files if ".dist-info" not in file.path.partition("/")[0])
    if all(_is_same(site / file.path, file.data) for file in inside):
        return "the runtime's own copy"
    return f"{SDK} {RELEASED[wheel.sha256]} as released" if wheel.sha256 in RELEASED else ""


def _is_same(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def _summary(wheel: InspectedWheel, said: Examination) -> list[Finding]:
    """One finding of each id, at its worst."""
    alike: dict[str, list[Finding]] = {}
    for finding in said.findings:
        alike.setdefault(finding.id, []).append(finding)
    hidden = said.facts.get(HIDDEN) if said.check == PERMISSIONS else None
    found = [_worst(wheel, said.check, group) for group in alike.values() if not hidden or group[0].id != DYNAMIC.id]
    return [*found, _hidden(wheel, hidden)] if hidden else found


def _hidden(wheel: InspectedWheel, places: Sequence[str]) -> Finding:
    """Code that stands nowhere in the wheel: whoever hides what is run is looked at as if it were in the open."""
    path, _, rest = places[0].rpartition(":")
    line, _, what = rest.partition(" ")
    count = f"{len(places)} places or more, the first: " if len(places) > 1 else ""
    return Finding(
        id=f"dependency-{DYNAMIC.id}",
        severity="medium",
        entry=f"{wheel.filename}: {path}",
        line=int(line),
        message=f"{count}{what}: {DYNAMIC.what}",
        advice=_ADVICE,
        rule=f"{_RULE}; {PERMISSIONS_RULE}",
    )


def _worst(wheel: InspectedWheel, check: str, group: Sequence[Finding]) -> Finding:
    first = max(group, key=lambda each: SEVERITIES.index(each.severity))  # of equals the first, which is in order
    severity = _severity(check, first)
    count = f"{len(group)} findings of this id, the first of the worst: " if len(group) > 1 else ""
    crashed = first.id == "check-crashed"
    return Finding(
        id=f"dependency-{first.id}",
        severity=severity,
        entry=f"{wheel.filename}: {first.entry}" if first.entry else wheel.filename,
        line=first.line,
        message=count + first.message,
        advice=first.advice if crashed else _ADVICE if severity == "medium" else "",
        rule=f"{_RULE}; {first.rule}",
    )


def _severity(check: str, finding: Finding) -> Severity:
    severe = SEVERITIES.index(finding.severity) >= SEVERITIES.index("high")
    if check == PERMISSIONS:
        return "medium" if finding.id in OUTSIDE else "info"
    if check == "native" or finding.id == "check-crashed":
        return "medium" if severe else finding.severity
    return "medium" if severe else "info"


def _reasons(wheel: InspectedWheel, said: Examination) -> list[str]:
    reasons = [
        f"{wheel.filename}: {said.check}: {reason.removeprefix(f'{said.check}: ')}" for reason in said.incomplete
    ]
    more = len(reasons) - MAX_NAMED
    return [*reasons[:MAX_NAMED], f"{wheel.filename}: {said.check}: and {more} more"] if more > 0 else reasons

"""Check `licence`: what the plugin and its closure may be used for, as far as they say it (PEP 639).

The policy's list holds SPDX identifiers; an empty list allows every licence, but not the want of one.
"""

from assess_registry.audit.context import Context
from assess_registry.audit.licences import Licence, admits, read_licence
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.wheel import InspectedWheel

NAME = "licence"

MISSING = "licence-missing"
BY_CLASSIFIER = "licence-by-classifier"
REFUSED = "licence-refused"
FILE_MISSING = "licence-file-missing"
DEPENDENCY_MISSING = "dependency-licence-missing"
DEPENDENCY_REFUSED = "dependency-licence-refused"

RULE = "PEP 639, core metadata License-Expression and License-File"
_ADVICE = 'name it in pyproject.toml, `license = "Apache-2.0"` (an SPDX expression) and `license-files = ["LICENSE"]`'


def examine(subject: Subject, context: Context) -> Examination:
    """The licence of the wheel and of each dependency, as facts, and what the policy does not allow."""
    licence = read_licence(subject.wheel.metadata)
    findings = [*_own(subject.wheel, licence, context.licences), *_files(subject, licence)]
    facts: dict[str, object] = {"licence": licence.expression, "source": licence.source, "files": list(licence.files)}
    dependencies: dict[str, str] = {}
    for wheel in sorted(subject.closure, key=lambda each: each.filename):
        theirs = read_licence(wheel.metadata)
        dependencies[wheel.filename] = theirs.expression
        findings += _theirs(wheel, theirs, context.licences)
    return Examination(check=NAME, findings=tuple(findings), facts=facts | {"dependencies": dependencies})


def _own(wheel: InspectedWheel, licence: Licence, allowed: tuple[str, ...]) -> list[Finding]:
    entry = _metadata_path(wheel)
    if not licence.expression:
        said = f", and {licence.said!r} does not say which" if licence.said else ""
        return [
            Finding(
                id=MISSING,
                severity="medium",
                entry=entry,
                message=f"METADATA names no licence{said}",
                advice=_ADVICE,
                rule=RULE,
            )
        ]
    findings = []
    if licence.source != "License-Expression":
        findings.append(
            Finding(
                id=BY_CLASSIFIER,
                severity="info",
                entry=entry,
                message=f"{licence.expression} is taken from {licence.source}, which may mean less",
                advice=_ADVICE,
                rule=RULE,
            )
        )
    if allowed and not admits(allowed, licence.expression):
        findings.append(
            Finding(
                id=REFUSED,
                severity="medium",
                entry=entry,
                message=f"licence {licence.expression[:400]} is not one that the policy allows",
                advice=f"publish under one of {', '.join(allowed)[:400]}, or ask the registry to allow it",
                rule="policy: licences",
            )
        )
    return findings


def _files(subject: Subject, licence: Licence) -> list[Finding]:
    dist_info = _metadata_path(subject.wheel).rpartition("/")[0]
    paths = {file.path for file in subject.files}
    return [
        Finding(
            id=FILE_MISSING,
            severity="medium",
            entry=f"{dist_info}/licenses/{name}"[:400],
            message=f"METADATA names licence file {name!r:.200}, which is not in the wheel",
            advice="let the build backend put it there: list it in `license-files`",
            rule=RULE,
        )
        for name in licence.files
        # before metadata 2.4 backends put them beside METADATA
        if f"{dist_info}/licenses/{name}" not in paths and f"{dist_info}/{name}" not in paths
    ]


def _theirs(wheel: InspectedWheel, licence: Licence, allowed: tuple[str, ...]) -> list[Finding]:
    if not licence.expression:
        said = f"; it says {licence.said!r}" if licence.said else ""
        return [
            Finding(
                id=DEPENDENCY_MISSING,
                severity="low",
                entry=wheel.filename,
                message=f"this dependency names no licence by an SPDX expression{said}",
                rule=RULE,
            )
        ]
    if not allowed or admits(allowed, licence.expression):
        return []
    return [
        Finding(
            id=DEPENDENCY_REFUSED,
            severity="medium",
            entry=wheel.filename,
            message=f"licence {licence.expression[:400]} of this dependency is not one that the policy allows",
            advice="depend on something else, or ask the registry to allow it",
            rule="policy: licences",
        )
    ]


def _metadata_path(wheel: InspectedWheel) -> str:
    return next(entry.path for entry in wheel.entries if entry.path.endswith(".dist-info/METADATA"))

"""The findings as SARIF 2.1.0, for editors and code scanning services.

A result's level is what the policy made of the finding, not its severity: `error` for rejected, `warning` for flagged,
`note` for approved. What was not looked at is a notification, and then the run did not succeed.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from assess_registry.audit.render.order import dumps, incomplete, worst_first
from assess_registry.audit.values import Finding, Judged, Report, Verdict
from assess_registry.manifest import SEVERITIES

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "assessFinding/v1"

_LEVELS = {Verdict.REJECTED: "error", Verdict.FLAGGED: "warning", Verdict.APPROVED: "note"}
_SCORES = {"info": "0.0", "low": "3.0", "medium": "5.5", "high": "8.0", "critical": "9.5"}
"""`security-severity` of a rule, as code scanning services rank by (a CVSS-like number in the range of the word)."""


def render_sarif(report: Report) -> str:
    """The report as a SARIF log of one run."""
    return dumps({"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [_run(report)]})


def _run(report: Report) -> dict[str, Any]:
    judged = worst_first(report)
    ids = sorted({each.finding.id for each in judged})
    seen: Counter[str] = Counter()
    return {
        "tool": {"driver": {"name": "assess-registry audit", "rules": [_rule(each, judged) for each in ids]}},
        "automationDetails": {"id": f"assess-registry/audit/{report.project}/{report.version}"},
        "invocations": [_invocation(report)],
        "artifacts": [
            {
                "location": {"uri": _uri(report.filename), "uriBaseId": "DIST"},
                "length": report.size,
                "hashes": {"sha-256": report.sha256},
            }
        ],
        "results": [_result(each, report, ids.index(each.finding.id), seen) for each in judged],
        "columnKind": "unicodeCodePoints",
        "properties": {
            "verdict": report.verdict.value,
            "reasons": list(report.reasons),
            "asOf": report.as_of.isoformat(),
            "policySha256": report.policy_sha256,
            "advisories": report.advisories,
        },
    }


def _rule(finding_id: str, judged: Iterable[Judged]) -> dict[str, Any]:
    findings = [each.finding for each in judged if each.finding.id == finding_id]
    worst = max(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    return {
        "id": finding_id,
        "shortDescription": {"text": finding_id.replace("-", " ")},
        "help": {"text": worst.rule or finding_id},
        "properties": {"security-severity": _SCORES[worst.severity], "tags": ["security"]},
    }


def _invocation(report: Report) -> dict[str, Any]:
    notifications = [
        {"level": "warning", "message": {"text": f"{check}: {reason}"}, "descriptor": {"id": check}}
        for check, reason in incomplete(report)
    ]
    return {"executionSuccessful": not notifications, "toolExecutionNotifications": notifications}


def _result(judged: Judged, report: Report, rule: int, seen: Counter[str]) -> dict[str, Any]:
    finding = judged.finding
    text = finding.message + (f"\n{finding.advice}" if finding.advice else "")
    return {
        "ruleId": finding.id,
        "ruleIndex": rule,
        "kind": "fail",
        "level": _LEVELS[judged.verdict],
        "message": {"text": text},
        "locations": [_location(finding, report)],
        "partialFingerprints": {FINGERPRINT: _fingerprint(finding, report, seen)},
        "properties": {
            "check": judged.check,
            "severity": finding.severity,
            "verdict": judged.verdict.value,
            "reason": judged.reason,
        },
    }


def _location(finding: Finding, report: Report) -> dict[str, Any]:
    """The file in the wheel or in one of its closure, else the wheel; a key path is a logical location besides."""
    path, _, key = finding.entry.partition(": ")
    if path.endswith(".whl"):
        base = {"uri": _uri(f"{path}/{key}" if key else path), "uriBaseId": "CLOSURE"}
        key = ""
    elif finding.line is None and "/" not in path:
        base, key = {"uri": _uri(report.filename), "uriBaseId": "DIST"}, finding.entry
    else:
        base = {"uri": _uri(path), "uriBaseId": "WHEEL"}
    physical: dict[str, Any] = {"artifactLocation": base}
    if finding.line is not None:
        physical["region"] = {"startLine": max(finding.line, 1)}
    location: dict[str, Any] = {"physicalLocation": physical}
    if key:
        location["logicalLocations"] = [{"fullyQualifiedName": key, "kind": "member"}]
    return location


def _uri(path: str) -> str:
    """A relative reference (RFC 3986): a name with a colon or anything else special cannot become an address."""
    return quote(path.encode("utf-8", "backslashreplace"))


def _fingerprint(finding: Finding, report: Report, seen: Counter[str]) -> str:
    """The same in the next version of the wheel, wherever in its file the line has moved."""
    parts = "\0".join((report.project, finding.id, finding.entry, finding.message))
    digest = hashlib.sha256(parts.encode("utf-8", "backslashreplace")).hexdigest()[:32]
    seen[digest] += 1
    return f"{digest}:{seen[digest]}"

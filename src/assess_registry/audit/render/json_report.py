"""The whole report for programs; its schema is docs/audit-report.schema.json, version 1."""

from typing import Any

from assess_registry.audit.render.order import attachments, dumps, worst_first
from assess_registry.audit.values import Examination, Judged, Report

SCHEMA = 1


def render_json(report: Report) -> str:
    """The report as a JSON document."""
    return dumps(document(report))


def document(report: Report) -> dict[str, Any]:
    """The report as JSON values; of attachments only name, digest and size."""
    return {
        "schema": SCHEMA,
        "wheel": {
            "filename": report.filename,
            "project": report.project,
            "version": report.version,
            "sha256": report.sha256,
            "size": report.size,
        },
        "as_of": report.as_of.isoformat(),
        "verdict": report.verdict.value,
        "reasons": list(report.reasons),
        "findings": [_finding(judged) for judged in worst_first(report)],
        "checks": [_check(examination) for examination in report.examinations],
        "policy": {"sha256": report.policy_sha256},
        "advisories": report.advisories,
    }


def _finding(judged: Judged) -> dict[str, Any]:
    finding = judged.finding
    return {
        "id": finding.id,
        "check": judged.check,
        "severity": finding.severity,
        "verdict": judged.verdict.value,
        "reason": judged.reason,
        "entry": finding.entry,
        "line": finding.line,
        "message": finding.message,
        "advice": finding.advice,
        "rule": finding.rule,
    }


def _check(examination: Examination) -> dict[str, Any]:
    return {
        "name": examination.check,
        "tool": examination.tool,
        "complete": not examination.incomplete,
        "incomplete": list(examination.incomplete),
        "findings": len(examination.findings),
        "facts": {key: examination.facts[key] for key in sorted(examination.facts)},
        "attachments": attachments(examination.attachments),
    }

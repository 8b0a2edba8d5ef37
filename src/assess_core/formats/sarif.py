"""A run as SARIF 2.1.0, for code scanning services.

pass, fail, not-applicable      the kinds of these names
skipped, error, timeout         kind `open`: nobody knows; errors and timeouts are notifications, too
a waived failure                kind `fail` with a suppression (`external`): who, why, until when
a shortcoming of the run        a notification, and the run did not succeed
what a run was narrowed to      a notification
"""

import json
from typing import Any

from assess_core.clock import timestamp
from assess_core.formats.json_document import waiver_document
from assess_core.formats.order import worst_first
from assess_core.formats.sentences import narrowed_lines, waiver_line
from assess_core.results import Result, ResultOutcome, Run, Severity, WaiverRef
from assess_registry.client import plain, valid

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "assessFindingId/v1"

_KINDS = {
    ResultOutcome.PASS: "pass",
    ResultOutcome.FAIL: "fail",
    ResultOutcome.NOT_APPLICABLE: "notApplicable",
    ResultOutcome.SKIPPED: "open",
    ResultOutcome.ERROR: "open",
    ResultOutcome.TIMEOUT: "open",
}
_LEVELS: dict[Severity, str] = {
    "info": "note",
    "low": "note",
    "medium": "warning",
    "high": "error",
    "critical": "error",
}


def render(run: Run, *, fail_on: Severity | None) -> str:
    """The run as a SARIF log, in ASCII."""
    return json.dumps(valid(document(run, fail_on=fail_on)), indent=2, allow_nan=False) + "\n"


def document(run: Run, *, fail_on: Severity | None) -> dict[str, Any]:
    """What `render` writes."""
    results = sorted(run.results, key=worst_first)
    rules = list({result.check: result for result in results}.values())
    index = {rule.check: number for number, rule in enumerate(rules)}
    shortcomings = [plain(sentence) for sentence in run.shortcomings()]
    return {
        "$schema": SCHEMA_URI,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "assess", "rules": [_rule(rule) for rule in rules]}},
                "automationDetails": {"id": f"assess/{plain(run.runtime)}/{timestamp(run.started_at)}"},
                "invocations": [
                    {
                        "executionSuccessful": not shortcomings,
                        "exitCode": run.exit_code(fail_on),
                        "startTimeUtc": timestamp(run.started_at),
                        "endTimeUtc": timestamp(run.ended_at),
                        "toolExecutionNotifications": [
                            *({"level": "error", "message": {"text": sentence}} for sentence in shortcomings),
                            *({"level": "note", "message": {"text": line}} for line in narrowed_lines(run)),
                        ],
                    }
                ],
                "results": [_result(result, index[result.check]) for result in results],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def _rule(result: Result) -> dict[str, Any]:
    return {
        "id": plain(result.check),
        "shortDescription": {"text": plain(result.title) or plain(result.check)},
        "help": {"text": plain(result.remediation) or plain(result.title) or plain(result.check)},
        "properties": {"severity": result.severity, "controls": sorted({plain(each) for each in result.controls})},
    }


def _result(result: Result, rule: int) -> dict[str, Any]:
    failed = result.outcome is ResultOutcome.FAIL
    return {
        "ruleId": plain(result.check),
        "ruleIndex": rule,
        "kind": _KINDS[result.outcome],
        "level": _LEVELS[result.severity] if failed else "none",
        "message": {"text": plain(result.reason) or f"{plain(result.check)}: {result.outcome.value}"},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": plain(result.subject.id), "kind": "resource"}]}],
        "partialFingerprints": {FINGERPRINT: result.finding_id},
        **({"suppressions": [_suppression(result.waiver)]} if result.waiver is not None else {}),
        "properties": {
            "outcome": result.outcome.value,
            "resultId": result.result_id,
            "assessment": plain(result.assessment),
            "attempts": result.attempts,
            "waiver": waiver_document(result.waiver) if result.waiver is not None else None,
        },
    }


def _suppression(waiver: WaiverRef) -> dict[str, str]:
    """It is no less a failure: the suppression says that somebody answers for it."""
    return {"kind": "external", "status": "accepted", "justification": waiver_line(waiver)}

"""One JSON document a run; docs/results.md describes each field.

The document is ASCII: no escape sequence and no bidirectional control reaches a terminal it is printed on, and no
locale can break it. What JSON or its readers cannot hold is replaced (`assess_registry.valid_json`), so that there is
always one valid document.
"""

import json
from typing import Any

from assess_core.clock import timestamp
from assess_core.results import (
    SCHEMA,
    AssessmentRun,
    EvidenceRef,
    Narrowed,
    PluginRef,
    Result,
    Run,
    Seen,
    Severity,
    WaitingVersion,
    WaiverRef,
    WaiverStanding,
)
from assess_registry.client import valid


def render(run: Run, *, fail_on: Severity | None) -> str:
    """The run as `{"schema": 1, "run": {...}, "results": [...]}`."""
    return json.dumps(valid(document(run, fail_on=fail_on)), indent=2, allow_nan=False) + "\n"


def document(run: Run, *, fail_on: Severity | None) -> dict[str, Any]:
    """What `render` writes, keys in this order, texts as they are."""
    return {
        "schema": SCHEMA,
        "run": {
            "runtime": run.runtime,
            "started_at": timestamp(run.started_at),
            "ended_at": timestamp(run.ended_at),
            "assessments": [_assessment(assessment) for assessment in run.assessments],
            "waiting": [_waiting(each) for each in run.waiting],
            "waivers": [standing_document(each) for each in run.waivers],
            "counts": {outcome.value: count for outcome, count in run.counts.items()},
            "exit": run.exit_code(fail_on),
        },
        "results": [result_document(result, run.seen.get(result.finding_id)) for result in run.results],
    }


def result_document(result: Result, seen: Seen | None = None) -> dict[str, Any]:
    """One result, complete in itself; with it, when the check failed on this subject over all runs."""
    return {
        "schema": SCHEMA,
        "result_id": result.result_id,
        "run_id": result.run_id,
        "finding_id": result.finding_id,
        "runtime": result.runtime,
        "assessment": result.assessment,
        "plugin": _plugin(result.plugin),
        "check": result.check,
        "severity": result.severity,
        "controls": list(result.controls),
        "subject": {"id": result.subject.id, "type": result.subject.type, "title": result.subject.title},
        "outcome": result.outcome.value,
        "reason": result.reason,
        "expected": result.expected,
        "actual": result.actual,
        "remediation": result.remediation,
        "first_seen_at": timestamp(seen.first_at) if seen else None,
        "failing_since": timestamp(seen.failing_since) if seen and seen.failing_since else None,
        "last_seen_at": timestamp(seen.last_at) if seen else None,
        "started_at": timestamp(result.started_at),
        "duration_ms": result.duration_ms,
        "cpu_ms": result.cpu_ms,
        "memory_mib": result.memory_mib,
        "isolation": result.isolation,
        "user": result.user,
        "landlock_abi": result.landlock_abi,
        "relaxed": list(result.relaxed),
        "provenance": [dict(use) for use in result.provenance],
        "evidence": [_evidence(item) for item in result.evidence],
        "waiver": waiver_document(result.waiver) if result.waiver else None,
        "attempts": result.attempts,
        "earlier": list(result.earlier),
        "registry": result.registry,
        "stale": result.stale,
    }


def waiver_document(waiver: WaiverRef) -> dict[str, str]:
    """Who answers for a failure, why, and until the end of which day."""
    return {"owner": waiver.owner, "reason": waiver.reason, "expires": waiver.expires.isoformat()}


def standing_document(standing: WaiverStanding) -> dict[str, str]:
    """A waiver of the configuration, and what there is to say of it."""
    return {
        "check": standing.check,
        "subject": standing.subject,
        **waiver_document(standing.waiver),
        "state": standing.state,
    }


def narrowed_document(narrowed: Narrowed | None) -> dict[str, list[str]] | None:
    """What a run was narrowed to; None of one that was whole."""
    return {"checks": list(narrowed.checks), "subjects": list(narrowed.subjects)} if narrowed else None


def _assessment(run: AssessmentRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "assessment": run.assessment,
        "plugin": _plugin(run.plugin) if run.plugin else None,
        "provider": run.provider,
        "due_at": timestamp(run.due_at),
        "started_at": timestamp(run.started_at),
        "ended_at": timestamp(run.ended_at),
        "subjects": run.subjects,
        "problem": run.problem,
        "attempt": run.attempt,
        "why": run.why,
        "narrowed": narrowed_document(run.narrowed),
    }


def _evidence(item: EvidenceRef) -> dict[str, Any]:
    return {"name": item.name, "sha256": item.sha256, "media_type": item.media_type, "kept": item.kept}


def _waiting(waiting: WaitingVersion) -> dict[str, Any]:
    return {
        "distribution": waiting.distribution,
        "version": waiting.version,
        "running": waiting.running,
        "added": list(waiting.added),
        "consent": waiting.consent,
    }


def _plugin(plugin: PluginRef) -> dict[str, str]:
    return {
        "distribution": plugin.distribution,
        "version": plugin.version,
        "name": plugin.name,
        "sha256": plugin.sha256,
    }

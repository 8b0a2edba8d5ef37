"""A run as an OSCAL assessment-results document.

How our words become OSCAL's:

    a result            an observation, with its uuid; evidence is a back-matter resource with its SHA-256
    (subject, check)    a finding about the check's objective, the same uuid in every run; satisfied only by passes.
                        Errors, timeouts and what could not be assessed are not satisfied, for another reason than
                        failing. What is not applicable has an observation and no finding: nothing was to be satisfied
    a failed check      a risk, open, with the remediation as a recommendation; `deviation-approved` until its deadline
                        where it is waived, and not satisfied all the same
    an assessment       an entry of the assessment log
    a shortcoming       one more finding, not satisfied: a run that assessed nothing must not read like a clean one

All uuids are made from what they identify (version 5). Order follows the run's, so that equal runs give equal bytes.
"""

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Any

from assess_core.clock import timestamp
from assess_core.formats.order import worst_first
from assess_core.formats.oscal.references import faults
from assess_core.formats.oscal.subjects import Subjects
from assess_core.formats.oscal.words import control, markup, markup_lines, prop_list, props, token, value
from assess_core.results import AssessmentRun, EvidenceRef, PluginRef, Result, ResultOutcome, Run, WaiverRef, identify
from assess_registry.client import valid

OSCAL_VERSION = "1.2.1"


def render(run: Run) -> str:
    """The run as an OSCAL document, in ASCII.

    Raises:
        RuntimeError: the document refers into nothing; a bug of ours, and nothing an auditor should be handed.
    """
    made = document(run)
    wrong = faults(made)
    if wrong:
        raise RuntimeError(f"OSCAL document with {len(wrong)} fault(s), the first: {wrong[0]}")
    return json.dumps(made, indent=2, allow_nan=False) + "\n"


def document(run: Run) -> dict[str, Any]:
    """What `render` writes."""
    results = tuple({result.result_id: result for result in run.results}.values())
    subjects = Subjects(result.subject for result in results)
    plan = _uuid("plan", run.runtime)
    names = ", ".join(assessment.assessment for assessment in run.assessments)
    resources = [
        {
            "uuid": plan,
            "title": markup(f"Configuration of {run.runtime}"),
            "description": markup(f"What was to be assessed: {names or 'nothing'}."),
        },
        *subjects.resources(),
        *_evidence(results),
    ]
    return {
        "assessment-results": {
            "uuid": _uuid("document", run.runtime, timestamp(run.started_at), timestamp(run.ended_at)),
            "metadata": {
                "title": markup(f"Assessment results of {run.runtime}"),
                "last-modified": timestamp(run.ended_at),
                "version": timestamp(run.started_at),
                "oscal-version": OSCAL_VERSION,
                **subjects.metadata(),
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [_result(run, results, subjects)],
            "back-matter": {"resources": resources},
        }
    }


def _result(run: Run, results: tuple[Result, ...], subjects: Subjects) -> dict[str, Any]:
    groups = _groups(results)
    observations = [_observation(result, subjects) for result in results]
    findings = [finding for group in groups if (finding := _finding(group))]
    risks = [_risk(telling, _waiver(group)) for group in groups if (telling := _telling(group)) and _failed(telling)]
    shortcomings = run.shortcomings()
    if shortcomings:
        observations.append(_incomplete_observation(run, shortcomings))
        findings.append(_incomplete_finding(run, shortcomings))
    log = [_log_entry(assessment) for assessment in {one.run_id: one for one in run.assessments}.values()]
    return {
        "uuid": _uuid("result", run.runtime, timestamp(run.started_at), timestamp(run.ended_at)),
        "title": markup(f"Run of {run.runtime} at {timestamp(run.started_at)}"),
        "description": markup(", ".join(f"{count} {outcome.value}" for outcome, count in run.counts.items())),
        "start": timestamp(run.started_at),
        "end": timestamp(run.ended_at),
        "local-definitions": subjects.definitions() | {"assessment-assets": _assets(run)},
        "reviewed-controls": {"control-selections": _selections(results)},
        **_unless_empty("assessment-log", {"entries": log} if log else None),
        **_unless_empty("observations", observations),
        **_unless_empty("risks", risks),
        **_unless_empty("findings", findings),
    }


def _observation(result: Result, subjects: Subjects) -> dict[str, Any]:
    said = result.reason.strip() or f"{result.check}: {result.outcome.value}"
    evidence = {item.sha256: item for item in result.evidence}.values()
    return {
        "uuid": result.result_id,
        "title": markup(result.title) or markup(result.check),
        "description": markup_lines(said),
        **props(
            outcome=result.outcome.value,
            check=result.check,
            severity=result.severity,
            assessment=result.assessment,
            expected=result.expected,
            actual=result.actual,
            duration_ms=result.duration_ms,
            cpu_ms=result.cpu_ms,
            memory_mib=result.memory_mib,
            isolation=result.isolation,
            user=result.user,
            landlock_abi=result.landlock_abi,
            relaxed="; ".join(result.relaxed),
            registry=result.registry,
            stale=result.stale,
            attempts=result.attempts if result.earlier else None,
            earlier="; ".join(result.earlier),
            waived_by=result.waiver.owner if result.waiver else None,
            waived_because=result.waiver.reason if result.waiver else None,
            waived_until=result.waiver.expires.isoformat() if result.waiver else None,
        ),
        "methods": ["TEST"],
        "types": ["control-objective"],
        "origins": [{"actors": [{"type": "tool", "actor-uuid": _plugin_uuid(result.plugin)}]}],
        "subjects": [subjects.reference(result.subject)],
        **_unless_empty(
            "relevant-evidence",
            [{"href": f"#{_evidence_uuid(item)}", "description": markup(item.name) or "evidence"} for item in evidence],
        ),
        "collected": timestamp(result.started_at),
        **_unless_empty("remarks", _provenance(result)),
    }


def _groups(results: Iterable[Result]) -> list[list[Result]]:
    """The results of each subject and check, worst first; more than one if two assessments share a check."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.finding_id, []).append(result)
    return [sorted(group, key=worst_first) for group in groups.values()]


def _finding(group: list[Result]) -> dict[str, Any] | None:
    telling = _telling(group)
    if telling is None:
        return None
    return {
        "uuid": telling.finding_id,
        "title": markup(telling.title) or markup(telling.check),
        "description": markup(f"{telling.check} on {telling.subject.id}: {telling.outcome.value}"),
        **props(check=telling.check, subject=telling.subject.id, severity=telling.severity),
        "target": {
            "type": "objective-id",
            "target-id": token(telling.check, "check"),
            **_unless_empty("props", [prop for name in telling.controls for prop in prop_list("control", name)]),
            "status": _status(telling),
        },
        "related-observations": [{"observation-uuid": result.result_id} for result in group],
        **_unless_empty("related-risks", [{"risk-uuid": _risk_uuid(telling)}] if _failed(telling) else None),
    }


def _telling(group: list[Result]) -> Result | None:
    """The result that decides a finding: one that failed, else the worst that is applicable; None if none is."""
    applicable = [result for result in group if result.outcome is not ResultOutcome.NOT_APPLICABLE]
    return next(filter(_failed, applicable), applicable[0] if applicable else None)


def _status(result: Result) -> dict[str, str]:
    if result.outcome is ResultOutcome.PASS:
        return {"state": "satisfied", "reason": "pass"}
    if _failed(result):
        return {"state": "not-satisfied", "reason": "fail"}
    remarks = markup(f"{result.outcome.value}: {result.reason}")
    return {"state": "not-satisfied", "reason": "other", "remarks": remarks}


def _waiver(group: list[Result]) -> WaiverRef | None:
    """Who answers for the failures of this check on this subject; nobody unless somebody does for each of them."""
    waivers = [result.waiver for result in group if _failed(result)]
    return None if None in waivers else waivers[0]


def _deviation(result: Result, waiver: WaiverRef) -> dict[str, Any]:
    """That somebody accepts the risk until the end of a day, UTC."""
    until = datetime.combine(waiver.expires, time.max, UTC)
    return {
        "status": "deviation-approved",
        "deadline": timestamp(until),
        "risk-log": {
            "entries": [
                {
                    "uuid": _uuid("waiver", result.result_id),
                    "title": markup(f"Waived by {waiver.owner}"),
                    "description": markup(waiver.reason),
                    "start": timestamp(result.started_at),
                    "end": timestamp(max(until, result.started_at)),
                    "props": [{"name": "type", "value": "dr-approved"}, *prop_list("owner", waiver.owner)],
                    "status-change": "deviation-approved",
                }
            ]
        },
    }


def _risk(result: Result, waiver: WaiverRef | None) -> dict[str, Any]:
    remediation = markup_lines(result.remediation)
    recommendation = {
        "uuid": _uuid("remediation", result.finding_id),
        "lifecycle": "recommendation",
        "title": "Remediation",
        "description": remediation,
    }
    return {
        "uuid": _risk_uuid(result),
        "title": markup(result.title) or markup(result.check),
        "description": markup_lines(result.reason) or markup(f"{result.check} failed"),
        "statement": markup(f"{result.check} failed on {result.subject.id}"),
        **props(severity=result.severity),
        **({"status": "open"} if waiver is None else _deviation(result, waiver)),
        **_unless_empty("remediations", [recommendation] if remediation else None),
        "related-observations": [{"observation-uuid": result.result_id}],
    }


def _incomplete_observation(run: Run, shortcomings: tuple[str, ...]) -> dict[str, Any]:
    return {
        "uuid": _uuid("incomplete", run.runtime, timestamp(run.started_at), timestamp(run.ended_at)),
        "title": "The run is incomplete",
        "description": "\n\n".join(markup(sentence) for sentence in shortcomings),
        "methods": ["TEST"],
        "origins": [{"actors": [{"type": "assessment-platform", "actor-uuid": _uuid("platform", run.runtime)}]}],
        "collected": timestamp(run.ended_at),
    }


def _incomplete_finding(run: Run, shortcomings: tuple[str, ...]) -> dict[str, Any]:
    observation = _uuid("incomplete", run.runtime, timestamp(run.started_at), timestamp(run.ended_at))
    return {
        "uuid": _uuid("incomplete", run.runtime),
        "title": "The run is incomplete",
        "description": f"{len(shortcomings)} reason(s); see the observation.",
        "target": {
            "type": "objective-id",
            "target-id": "complete-run",
            "status": {"state": "not-satisfied", "reason": "other", "remarks": markup(shortcomings[0])},
        },
        "related-observations": [{"observation-uuid": observation}],
    }


def _log_entry(assessment: AssessmentRun) -> dict[str, Any]:
    return {
        "uuid": assessment.run_id,
        "title": markup(f"Assessment {assessment.assessment}"),
        "description": markup(assessment.problem or f"{assessment.subjects} subject(s) assessed"),
        "start": timestamp(assessment.started_at),
        "end": timestamp(assessment.ended_at),
        **props(
            provider=assessment.provider,
            subjects=assessment.subjects,
            due_at=timestamp(assessment.due_at),
            narrowed_to=str(assessment.narrowed) if assessment.narrowed else None,
        ),
    }


def _assets(run: Run) -> dict[str, Any]:
    plugins = [result.plugin for result in run.results]
    plugins += [assessment.plugin for assessment in run.assessments if assessment.plugin]
    components = {_plugin_uuid(plugin): _component(plugin) for plugin in plugins}
    platform = {
        "uuid": _uuid("platform", run.runtime),
        "title": markup(f"Runtime {run.runtime}"),
        **_unless_empty("uses-components", [{"component-uuid": uuid} for uuid in components]),
    }
    return {**_unless_empty("components", list(components.values())), "assessment-platforms": [platform]}


def _component(plugin: PluginRef) -> dict[str, Any]:
    return {
        "uuid": _plugin_uuid(plugin),
        "type": "software",
        "title": markup(f"{plugin.distribution} {plugin.version}: {plugin.name}"),
        "description": markup(f"Plugin {plugin.name} of the wheel with sha256 {plugin.sha256}"),
        **props(distribution=plugin.distribution, version=plugin.version, plugin=plugin.name, sha256=plugin.sha256),
        "status": {"state": "operational"},
    }


def _selections(results: Iterable[Result]) -> list[dict[str, Any]]:
    """One selection for each framework, since an id such as `1.5.4` means something in its framework alone."""
    frameworks: dict[str, dict[str, None]] = {}
    for result in results:
        for text in result.controls:
            framework, name = control(text)
            frameworks.setdefault(framework, {})[name] = None
    if not frameworks:
        # OSCAL asks for one of include-all and include-controls, even where no control was looked at.
        return [{"description": "The checks name no controls.", "include-all": {}}]
    return [
        {
            **props(framework=framework),
            "include-controls": [{"control-id": name} for name in sorted(names)],
        }
        for framework, names in sorted(frameworks.items())
    ]


def _evidence(results: Iterable[Result]) -> list[dict[str, Any]]:
    """One resource for each digest; the bytes are in the journal, and the digest is how to ask for them (RFC 6920)."""
    items = {item.sha256: item for result in results for item in result.evidence}
    return [
        {
            "uuid": _evidence_uuid(item),
            "title": markup(item.name) or "evidence",
            **props(size=item.size),
            "rlinks": [
                {
                    "href": f"ni:///sha-256;{_base64url(item.sha256)}",
                    **_unless_empty("media-type", value(item.media_type)),
                    "hashes": [{"algorithm": "SHA-256", "value": item.sha256}],
                }
            ],
        }
        for item in items.values()
    ]


def _provenance(result: Result) -> str:
    return "\n\n".join(markup(json.dumps(valid(use))) for use in result.provenance)


def _unless_empty(key: str, content: Any) -> dict[str, Any]:
    """`{key: content}`, or nothing when there is nothing: OSCAL refuses empty arrays and empty texts."""
    return {key: content} if content else {}


def _failed(result: Result) -> bool:
    return result.outcome is ResultOutcome.FAIL


def _base64url(digest: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(digest)).decode("ascii").rstrip("=")


def _plugin_uuid(plugin: PluginRef) -> str:
    return _uuid("plugin", plugin.distribution, plugin.version, plugin.name, plugin.sha256)


def _evidence_uuid(item: EvidenceRef) -> str:
    return _uuid("evidence", item.sha256)


def _risk_uuid(result: Result) -> str:
    return _uuid("risk", result.finding_id)


def _uuid(kind: str, *parts: str) -> str:
    return identify(f"oscal-{kind}", *parts)

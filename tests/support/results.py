"""Results and runs for tests: one plain value each, and strategies for all others."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

from hypothesis import strategies as st

from assess_core.results import (
    SEVERITIES,
    VERDICTS,
    AssessmentRun,
    EvidenceRef,
    PluginRef,
    Result,
    ResultOutcome,
    Run,
    WaiverRef,
    WaiverStanding,
    WaiverState,
    finding_id,
    result_id,
    run_id,
)
from assess_plugin.models import SUBJECT_TYPES, Subject

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
PLUGIN = PluginRef(distribution="demo-plugin", version="1.0.0", name="demo", sha256="a" * 64)
DIGEST = "b" * 64
WAIVER = WaiverRef(owner="ops@example.org", reason="legacy agent, CHG-1182", expires=date(2027, 3, 31))
SUBJECT = Subject(id="host:web-01", type="inventory-item", title="web-01")


def make_result(
    *, assessment: str = "host", check: str = "check-a", subject: Subject = SUBJECT, **changes: Any
) -> Result:
    """A result that passed, with identifiers that agree with the rest, and these fields changed."""
    run = changes.pop("run_id", None) or run_of(assessment)
    fields: dict[str, Any] = {
        "result_id": result_id(run, subject.id, check),
        "finding_id": finding_id(subject.id, check),
        "runtime": "web-01",
        "plugin": PLUGIN,
        "title": f"Title of {check}",
        "severity": "medium",
        "controls": ("nist-800-53:cm-6",),
        "remediation": "set it",
        "outcome": ResultOutcome.PASS,
        "reason": "",
        "expected": "1",
        "actual": "1",
        "started_at": NOON,
        "duration_ms": 12,
        "cpu_ms": 3.412,
        "memory_mib": 17,
        "isolation": "full",
        "user": "uid:61184",
        "landlock_abi": 7,
        "relaxed": (),
        "registry": "development",
    }
    fields |= {"run_id": run, "assessment": assessment, "check": check, "subject": subject}
    return Result(**(fields | changes))


def with_evidence(*digests: str) -> tuple[EvidenceRef, ...]:
    """References to pieces of evidence with these digests."""
    return tuple(EvidenceRef(name=f"file-{d[:4]}", sha256=d, media_type="text/plain", size=3) for d in digests)


def run_of(assessment: str) -> str:
    """The run id that `make_assessment` and `make_result` give to an assessment."""
    return run_id("web-01", assessment, NOON)


def make_assessment(*, assessment: str = "host", **changes: Any) -> AssessmentRun:
    """An assessment of one subject without a problem, with these fields changed."""
    fields: dict[str, Any] = {
        "run_id": run_of(assessment),
        "assessment": assessment,
        "plugin": PLUGIN,
        "provider": "demo-subjects",
        "due_at": NOON,
        "started_at": NOON,
        "ended_at": NOON + timedelta(seconds=2),
        "subjects": 1,
    }
    return AssessmentRun(**(fields | changes))


def make_standing(**changes: Any) -> WaiverStanding:
    """A waiver that holds, of the failure that `make_result` would be, with these fields changed."""
    fields: dict[str, Any] = {"check": "check-a", "subject": SUBJECT.id, "waiver": WAIVER, "state": "active"}
    return WaiverStanding(**(fields | changes))


def make_run(
    *,
    results: tuple[Result, ...] | None = None,
    assessments: tuple[AssessmentRun, ...] | None = None,
    waivers: tuple[WaiverStanding, ...] = (),
) -> Run:
    """A run of one assessment with one pass, unless told otherwise."""
    return Run(
        runtime="web-01",
        started_at=NOON,
        ended_at=NOON + timedelta(seconds=3),
        assessments=(make_assessment(),) if assessments is None else assessments,
        results=(make_result(),) if results is None else results,
        waivers=waivers,
    )


HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\u202egnp\r\n\x00\x9b31m<script>alert(1)</script> [x](javascript:1) \ud800 =1+1 \u2028|`*"
)
"""Text no terminal, document or browser should take at its word; a lone surrogate, controls and markup included."""


def hostile_run() -> Run:
    """Every outcome on a subject of every type, with hostile text wherever a plugin may put text."""
    results = []
    waiver = WaiverRef(owner=HOSTILE, reason=HOSTILE, expires=date(2027, 3, 31))
    for number, outcome in enumerate(ResultOutcome):
        for kind in sorted(SUBJECT_TYPES):
            digest = f"{number:064x}"
            results.append(
                make_result(
                    check=f"{number}.check_{outcome.value}",
                    subject=Subject(id=f"{kind}:web 01", type=kind, title=HOSTILE, labels={"a": HOSTILE}),  # type: ignore[arg-type]
                    outcome=outcome,
                    severity=SEVERITIES[number % 5],
                    title=HOSTILE,
                    reason=HOSTILE,
                    expected=HOSTILE,
                    actual="",
                    remediation=HOSTILE,
                    controls=("nist-800-53:AC-6(2)", "cis-debian-12:1.5.4", f"{HOSTILE}:{HOSTILE}", ":", ""),
                    provenance=({"run": ["sshd", "-T"], "n": float("nan"), "text": HOSTILE, "big": 10**5000},),
                    evidence=(EvidenceRef(name=HOSTILE, sha256=digest, media_type=HOSTILE, size=3),),
                    waiver=waiver if outcome is ResultOutcome.FAIL else None,
                    attempts=2,
                    earlier=(HOSTILE,),
                )
            )
    broken = make_assessment(assessment="broken", plugin=None, subjects=0, problem=HOSTILE)
    return make_run(
        results=tuple(results),
        assessments=(make_assessment(), broken, make_assessment(assessment="idle")),
        waivers=(make_standing(check=HOSTILE, subject=HOSTILE, waiver=waiver, state="expired"),),
    )


def outcomes(among: set[ResultOutcome] | None = None) -> st.SearchStrategy[ResultOutcome]:
    """Any outcome, or any of these."""
    return st.sampled_from(sorted(among or set(ResultOutcome)))


@st.composite
def results_of(draw: st.DrawFn, assessment: str, check: str) -> Result:
    """A result of one check with any outcome, severity and text."""
    outcome = draw(outcomes())
    reason = draw(st.text(max_size=8))
    if outcome not in VERDICTS and not reason.strip():
        reason = "because"
    return make_result(
        assessment=assessment,
        check=check,
        outcome=outcome,
        severity=draw(st.sampled_from(SEVERITIES)),
        reason=reason,
        expected=draw(st.none() | st.text(max_size=8)),
        waiver=draw(st.none() | st.just(WAIVER)) if outcome is ResultOutcome.FAIL else None,
    )


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A run of up to three assessments of up to four results each, any of which may have gone wrong."""
    names = draw(st.lists(st.sampled_from(["one", "two", "three"]), unique=True, max_size=3))
    problems = st.none() | st.just("the plugin did not start")
    assessments = tuple(make_assessment(assessment=name, problem=draw(problems)) for name in names)
    results = [
        draw(results_of(assessment=name, check=f"check-{number}"))
        for name in names
        for number in range(draw(st.integers(0, 4)))
    ]
    states = st.sampled_from(get_args(WaiverState))
    waivers = draw(st.lists(states.map(lambda state: make_standing(state=state)), max_size=2))
    return make_run(assessments=assessments, results=tuple(results), waivers=tuple(waivers))

"""What one call comes to: a result for each check that was asked for, and the evidence they refer to."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from assess_core.assessing.plan import Task
from assess_core.assessing.values import Context
from assess_core.errors import FaultKind, PluginFault
from assess_core.host import CallRecord, Held
from assess_core.journal import Evidence
from assess_core.results import EvidenceRef, Result, ResultOutcome, WaiverRef, finding_id, result_id
from assess_plugin.models import ActionOutput, CheckResult, Subject
from assess_registry.client import CheckSpec

MAX_RUN_EVIDENCE_BYTES = 1 << 30
"""Of one assessment in one run, all its subjects together; a call's own bound is in docs/wire.md, "Budgets"."""


class Quota:
    """Bytes of evidence that an assessment may still hand over."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self, record: CallRecord) -> bool:
        """Whether there is room for all evidence of this call, which is taken then."""
        size = sum(len(piece.data) for piece in record.evidence.values())
        if size > self._left:
            return False
        self._left -= size
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What all results of one call share."""

    task: Task
    checks: tuple[CheckSpec, ...]
    subject: Subject
    context: Context
    run: str
    record: CallRecord

    def reported(
        self,
        spec: CheckSpec,
        said: CheckResult,
        *,
        provenance: tuple[Mapping[str, Any], ...],
        evidence: tuple[EvidenceRef, ...],
    ) -> Result:
        """What it said of this check."""
        return self._make(
            spec,
            ResultOutcome.from_plugin(said.outcome),
            said.reason,
            expected=said.expected,
            actual=said.actual,
            remediation=said.remediation or spec.remediation,
            provenance=provenance,
            evidence=evidence,
        )

    def failed(
        self,
        spec: CheckSpec,
        fault: PluginFault,
        *,
        provenance: tuple[Mapping[str, Any], ...],
        evidence: tuple[EvidenceRef, ...],
    ) -> Result:
        """What it could not say of this check."""
        outcome = ResultOutcome.TIMEOUT if fault.kind is FaultKind.TIMEOUT else ResultOutcome.ERROR
        reason = f"{fault}; {fault.hint}" if fault.hint else str(fault)
        return self._make(spec, outcome, reason, provenance=provenance, evidence=evidence)

    def _make(
        self,
        spec: CheckSpec,
        outcome: ResultOutcome,
        reason: str,
        *,
        expected: str | None = None,
        actual: str | None = None,
        remediation: str | None = None,
        provenance: tuple[Mapping[str, Any], ...],
        evidence: tuple[EvidenceRef, ...],
    ) -> Result:
        return Result(
            result_id=result_id(self.run, self.subject.id, spec.id),
            run_id=self.run,
            finding_id=finding_id(self.subject.id, spec.id),
            runtime=self.context.runtime,
            assessment=self.task.assessment,
            plugin=self.task.plugin.reference,
            check=spec.id,
            title=spec.title,
            severity=spec.severity,
            controls=spec.controls,
            remediation=spec.remediation if remediation is None else remediation,
            subject=self.subject,
            outcome=outcome,
            reason=reason,
            expected=expected,
            actual=actual,
            started_at=self.record.started_at,
            duration_ms=self.record.duration_ms,
            cpu_ms=self.record.used.cpu_ms if self.record.used else None,
            memory_mib=self.record.used.memory_mib if self.record.used else None,
            isolation=self.record.held.isolation,
            user=self.record.held.user,
            landlock_abi=self.record.held.landlock_abi,
            relaxed=self.context.relaxed,
            provenance=provenance,
            evidence=evidence,
            waiver=self._waiver(spec) if outcome is ResultOutcome.FAIL else None,
            registry=self._origin(),
            stale=self.task.plugin.installed.distribution in self.context.stale,
        )

    def _waiver(self, spec: CheckSpec) -> WaiverRef | None:
        return self.context.waivers.of(spec.id, self.subject.id, at=self.record.started_at)

    def _origin(self) -> str:
        """Where the plugin came from, the weakest word first: it is what an auditor has to know."""
        installed = self.task.plugin.installed
        if installed.development:
            return "development"
        return "folder" if installed.distribution in self.context.from_folders else self.context.registry


def recorded(call: Call, came: ActionOutput | PluginFault) -> tuple[list[Result], Evidence]:
    """The results of a call, with what is on record of it, and the evidence they refer to."""
    taken = call.record.evidence.values()
    evidence = {
        piece.name: EvidenceRef(
            name=piece.name, sha256=_digest(piece.data), media_type=piece.media_type, size=len(piece.data)
        )
        for piece in taken
    }
    used: dict[str | None, list[Mapping[str, Any]]] = {}
    for use in call.record.provenance:
        used.setdefault(use.check, []).append(use.what)
    said = {} if isinstance(came, PluginFault) else {result.check_id: result for result in came.results}
    results = []
    for spec in call.checks:
        provenance = (*used.get(None, ()), *used.get(spec.id, ()))
        if isinstance(came, PluginFault):  # no answer names its evidence: what was handed over for the check is its
            its = tuple(evidence[piece.name] for piece in taken if piece.check in (None, spec.id))
            results.append(call.failed(spec, came, provenance=provenance, evidence=its))
        else:
            its = tuple(evidence[item.name] for item in said[spec.id].evidence)
            results.append(call.reported(spec, said[spec.id], provenance=provenance, evidence=its))
    wanted = {reference.sha256 for result in results for reference in result.evidence}
    kept = {evidence[piece.name].sha256: (piece.media_type, piece.data) for piece in taken}
    return results, {digest: piece for digest, piece in kept.items() if digest in wanted}


def without_evidence(call: Call, why: str) -> list[Result]:
    """The results of a call whose evidence there is no room for: what it said cannot be shown, so it does not count."""
    record = replace(call.record, evidence={})
    fault = PluginFault(why, plugin=call.task.plugin.name, phase="execute", kind=FaultKind.LIMIT, record=record)
    return recorded(replace(call, record=record), fault)[0]


def nothing_done(started_at: datetime, ended_at: datetime) -> CallRecord:
    """Of a call that could not even begin."""
    return CallRecord(
        provenance=(),
        evidence={},
        started_at=started_at,
        duration_ms=max(0, round((ended_at - started_at).total_seconds() * 1000)),
        held=Held(isolation="none", user=f"uid:{os.geteuid()}", landlock_abi=0),
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

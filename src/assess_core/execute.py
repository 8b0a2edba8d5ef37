"""Tasks in, results out: a provider finds the subjects, a plugin assesses each, and every way to fail has a result.

The rule of this file: a check that was asked for on a subject that was found gets exactly one result, whatever the
plugin does. A provider that fails, or finds nothing, is a problem of its assessment, which makes the run incomplete.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from assess_core.errors import CutShortError, FaultKind, PluginFault
from assess_core.host import CallRecord, Held, LogLine, Progress, Supervisor
from assess_core.plan import Callee, Task, Unrunnable
from assess_core.results import (
    AssessmentRun,
    EvidenceRef,
    PluginRef,
    Result,
    ResultOutcome,
    WaitingVersion,
    Why,
    finding_id,
    result_id,
    run_id,
)
from assess_plugin.models import ActionInput, ActionOutput, CheckResult, EvaluateInput, Subject
from assess_registry.client import CheckSpec, ProjectName

Clock = Callable[[], datetime]
"""Aware, UTC."""

Event = Progress | LogLine

Evidence = Mapping[str, tuple[str, bytes]]
"""By sha256: media type and bytes."""

Keep = Callable[[Evidence], Awaitable[None]]

MAX_RUN_EVIDENCE_BYTES = 1 << 30
"""Of one assessment in one run, all its subjects together; a call's own bound is in docs/wire.md, "Budgets"."""

Hosts = Mapping[ProjectName, Supervisor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What executing needs of the runtime: what every result says of it, its clock, and whom to tell of progress."""

    runtime: str
    labels: Mapping[str, str]
    registry: str
    from_folders: frozenset[ProjectName] = frozenset()
    stale: frozenset[ProjectName] = frozenset()
    waiting: tuple[WaitingVersion, ...] = ()
    relaxed: tuple[str, ...] = ()
    clock: Clock
    notify: Callable[[str, Event], None]
    is_stopped: Callable[[], bool] = lambda: False
    """Whether the runtime ends what runs, for good."""
    attempt: int = 1
    why: Why = "request"


@dataclass(frozen=True, kw_only=True, slots=True)
class Executed:
    """One assessment, done: what the report stage commits. The evidence its results refer to has been kept."""

    run: AssessmentRun
    results: tuple[Result, ...]


async def execute(task: Task | Unrunnable, *, hosts: Hosts, context: Context, due_at: datetime, keep: Keep) -> Executed:
    """The task has been executed; whatever its plugins did, the value says so.

    Args:
        task: what to do.
        hosts: the supervisor of each distribution that the task names.
        context: what all results of this runtime share.
        due_at: the time it was due, which its ids are made from.
        keep: called with the evidence of each call as it ends, before any result refers to it: evidence of a hundred
            subjects is more than should be held in memory until the last of them has been assessed.

    Raises:
        CutShortError: what executes it was stopped meanwhile.
    """
    if isinstance(task, Unrunnable):
        return _not_assessed(task, task.problem, context=context, due_at=due_at, started_at=context.clock())
    started_at = context.clock()
    plugin = _plugin_ref(task.plugin)
    try:
        subjects = await _subjects(task, hosts, context)
    except PluginFault as fault:
        _require_not_stopped(task, fault, context)
        problem = f"no subjects: {fault}"
        return _not_assessed(task, problem, context=context, due_at=due_at, started_at=started_at)
    if not subjects:
        problem = f"provider {task.provider.name!r} found no subject for this selector"
        return _not_assessed(task, problem, context=context, due_at=due_at, started_at=started_at)
    this_run = run_id(context.runtime, task.assessment, due_at)
    quota = _Quota(MAX_RUN_EVIDENCE_BYTES)
    assessed = await asyncio.gather(
        *(
            _assess(task, subject, hosts=hosts, context=context, run=this_run, keep=keep, quota=quota)
            for subject in subjects
        )
    )
    return Executed(
        run=AssessmentRun(
            run_id=this_run,
            assessment=task.assessment,
            plugin=plugin,
            provider=task.provider.name,
            due_at=due_at,
            started_at=started_at,
            ended_at=max(started_at, context.clock()),
            subjects=len(subjects),
            problem=task.caveat,
            attempt=context.attempt,
            why=context.why,
        ),
        results=tuple(result for results in assessed for result in results),
    )


async def _subjects(task: Task, hosts: Hosts, context: Context) -> tuple[Subject, ...]:
    report = await hosts[task.provider.installed.distribution].evaluate(
        task.provider.name,
        EvaluateInput(
            selector=task.selector,
            runtime=context.runtime,
            labels=context.labels,
            settings=task.provider.settings,
        ),
        timeout_s=task.timeout_s,
        on_event=lambda event: context.notify(task.assessment, event),
        whose=task.assessment,
    )
    found = report.result.subjects
    return tuple(subject for subject in found if not task.subjects or subject.id in task.subjects)


async def _assess(
    task: Task, subject: Subject, *, hosts: Hosts, context: Context, run: str, keep: Keep, quota: "_Quota"
) -> list[Result]:
    started_at = context.clock()
    came: ActionOutput | PluginFault
    host = hosts[task.plugin.installed.distribution]
    try:
        report = await host.execute(
            task.plugin.name,
            ActionInput(
                subject=subject,
                checks=tuple(spec.id for spec in task.checks),
                settings=task.plugin.settings,
            ),
            timeout_s=task.timeout_s,
            on_event=lambda event: context.notify(task.assessment, event),
            whose=task.assessment,
        )
    except PluginFault as fault:
        _require_not_stopped(task, fault, context)
        record, came = fault.record or _nothing_done(started_at, context.clock()), fault
    else:
        record, came = report, report.output
        # The worker is free: let it be given its next call before this one's results are made, or it waits for them.
        await asyncio.sleep(0)
    if not quota.take(record):
        record = replace(record, evidence={})
        came = PluginFault(
            f"evidence of one assessment may have {MAX_RUN_EVIDENCE_BYTES >> 20} MiB in one run; that of this call is "
            "beyond and was not kept",
            plugin=task.plugin.name,
            phase="execute",
            kind=FaultKind.LIMIT,
            record=record,
        )
    results, evidence = _recorded(_Call(task=task, subject=subject, context=context, run=run, record=record), came)
    if evidence:
        await keep(evidence)
    return results


def _require_not_stopped(task: Task, fault: PluginFault, context: Context) -> None:
    """What we ended ourselves says nothing about the subject: it is no result, and done again another time."""
    if fault.kind is FaultKind.STOPPED and context.is_stopped():
        raise CutShortError(
            f"assessment {task.assessment!r} was ended before it was over: the runtime was stopped; nothing of it was "
            "recorded"
        ) from fault


class _Quota:
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


def _nothing_done(started_at: datetime, ended_at: datetime) -> CallRecord:
    """Of a call that could not even begin."""
    return CallRecord(
        provenance=(),
        evidence={},
        started_at=started_at,
        duration_ms=max(0, round((ended_at - started_at).total_seconds() * 1000)),
        held=Held(isolation="none", user=f"uid:{os.geteuid()}", landlock_abi=0),
    )


def _recorded(call: "_Call", came: ActionOutput | PluginFault) -> tuple[list[Result], Evidence]:
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
    for spec in call.task.checks:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    """What all results of one call share."""

    task: Task
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
            plugin=_plugin_ref(self.task.plugin),
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
            waiver=None,
            registry=self._origin(),
            stale=self.task.plugin.installed.distribution in self.context.stale,
        )

    def _origin(self) -> str:
        """Where the plugin came from, the weakest word first: it is what an auditor has to know."""
        installed = self.task.plugin.installed
        if installed.development:
            return "development"
        return "folder" if installed.distribution in self.context.from_folders else self.context.registry


def _not_assessed(
    task: Task | Unrunnable, problem: str, *, context: Context, due_at: datetime, started_at: datetime
) -> Executed:
    plugin = _plugin_ref(task.plugin) if isinstance(task, Task) else None
    provider = task.provider.name if isinstance(task, Task) else task.provider
    run = AssessmentRun(
        run_id=run_id(context.runtime, task.assessment, due_at),
        assessment=task.assessment,
        plugin=plugin,
        provider=provider,
        due_at=due_at,
        started_at=started_at,
        ended_at=max(started_at, context.clock()),
        subjects=0,
        problem=problem,
        attempt=context.attempt,
        why=context.why,
    )
    return Executed(run=run, results=())


def _plugin_ref(callee: Callee) -> PluginRef:
    installed = callee.installed
    return PluginRef(
        distribution=installed.distribution, version=installed.version, name=callee.name, sha256=installed.sha256
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

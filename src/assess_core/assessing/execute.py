"""Tasks in, results out: a provider finds the subjects, a plugin assesses each, and every way to fail has a result.

The rule of this file: a check that was asked for on a subject that was found gets exactly one result, whatever the
plugin does. A provider that fails, finds nothing, or could not find all is a problem of its assessment, which makes the
run incomplete. Errors and timeouts may be asked again (`repeating`), findings never; a waiver changes no outcome.
"""

import asyncio
import hashlib
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from assess_core.assessing.lanes import side_by_side
from assess_core.assessing.plan import Callee, Task, Unrunnable
from assess_core.assessing.repeating import is_open, may_repeat, wait_s
from assess_core.clock import Clock
from assess_core.errors import CutShortError, FaultKind, PluginFault
from assess_core.host import CallRecord, Held, LogLine, Progress, Supervisor
from assess_core.journal import BusyError, EvidenceFullError, NoRoomError
from assess_core.results import (
    AssessmentRun,
    EvidenceRef,
    PluginRef,
    Result,
    ResultOutcome,
    WaitingVersion,
    WaiverRef,
    Why,
    finding_id,
    result_id,
    run_id,
)
from assess_core.results.waivers import NOTICE_D, Waivers
from assess_plugin.models import ActionInput, ActionOutput, CheckResult, EvaluateInput, EvaluateResult, Subject
from assess_registry.client import CheckSpec, ProjectName


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """How far an assessment has come.

    Attributes:
        done: subjects that were asked about, whatever was answered.
        found: all of them.
        failing: checks that failed on those.
    """

    done: int
    found: int
    failing: int

    def __str__(self) -> str:
        return f"{self.done} of {self.found} subjects, {self.failing} failing"


Event = Progress | LogLine | Reached

Evidence = Mapping[str, tuple[str, bytes]]
"""By sha256: media type and bytes."""

Keep = Callable[[Evidence], Awaitable[None]]

MAX_RUN_EVIDENCE_BYTES = 1 << 30
"""Of one assessment in one run, all its subjects together; a call's own bound is in docs/wire.md, "Budgets"."""

SUBJECTS_AT_ONCE = 64
"""Of one assessment, unless its runtime says otherwise; how many calls there are at a time, its turns say."""

MAX_PROBLEMS_SAID = 20
"""Of what a provider could not find, in the run's problem; how many more there are is said."""

LOOK_S = 1.0
"""How long a wait for the next try may go on after the runtime was stopped."""

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
    waivers: Waivers = field(default_factory=Waivers)
    waiver_notice_d: float = NOTICE_D
    subjects_at_once: int = SUBJECTS_AT_ONCE
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


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
        found = await _evaluated(task, hosts, context)
    except PluginFault as fault:
        problem = f"no subjects: {fault}"
        return _not_assessed(task, problem, context=context, due_at=due_at, started_at=started_at)
    subjects = [subject for subject in found.subjects if not task.subjects or subject.id in task.subjects]
    if not subjects:
        problem = f"provider {task.provider.name!r} found no subject for this selector"
        problem = "; ".join((problem, *_not_found(found)))
        return _not_assessed(task, problem, context=context, due_at=due_at, started_at=started_at)
    this_run = run_id(context.runtime, task.assessment, due_at)
    round_ = _Round(
        task=task,
        hosts=hosts,
        context=context,
        run=this_run,
        keep=keep,
        quota=_Quota(MAX_RUN_EVIDENCE_BYTES),
        tally=_Tally(len(subjects)),
    )
    assessed = await _assessed(round_, subjects)
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
            problem="; ".join(filter(None, (task.caveat, *_not_found(found)))) or None,
            attempt=context.attempt,
            why=context.why,
        ),
        results=tuple(result for results in assessed for result in results),
    )


async def _evaluated(task: Task, hosts: Hosts, context: Context) -> EvaluateResult:
    """What the provider found, asked again as often as the task says where it fails.

    What it could not find is not asked again: a second reply without it may be without what was found at first, too.

    Raises:
        PluginFault: it failed the last time, or in a way that another try would repeat.
    """
    retry = 0
    while True:
        try:
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
        except PluginFault as fault:
            _require_not_stopped(task, fault, context)
            retry += 1
            if retry > task.retries or not may_repeat(fault):
                raise
            await _wait(task, retry, context)
        else:
            return report.result


def _not_found(found: EvaluateResult) -> tuple[str, ...]:
    if not found.problems:
        return ()
    said = "; ".join(found.problems[:MAX_PROBLEMS_SAID])
    more = len(found.problems) - MAX_PROBLEMS_SAID
    return (f"not all subjects were found: {said}" + (f"; and {more} more" if more > 0 else ""),)


async def _assessed(round_: "_Round", subjects: Sequence[Subject]) -> list[tuple[Result, ...]]:
    """The results of each subject, each for all checks of the task, in its order.

    Tries come in rounds: while some subjects wait to be asked again, others are assessed, and nobody holds a place.
    """
    task, context = round_.task, round_.context
    answers = await side_by_side(round_.ask, subjects, at_once=context.subjects_at_once)
    for retry in range(1, task.retries + 1):
        again = [index for index, answer in enumerate(answers) if answer.open]
        if not again:
            break
        await _wait(task, retry, context)
        came = await side_by_side(
            round_.ask_again, [answers[index] for index in again], at_once=context.subjects_at_once
        )
        for index, answer in zip(again, came, strict=True):
            answers[index] = answer
    return [answer.results for answer in answers]


async def _wait(task: Task, retry: int, context: Context) -> None:
    """It is time for the retry of this number.

    Raises:
        CutShortError: the runtime was stopped meanwhile.
    """
    left = wait_s(retry, task.retry_after_s, context.random)
    while left > 0:
        if context.is_stopped():
            raise _cut_short(task)
        await context.sleep(min(left, LOOK_S))
        left -= LOOK_S


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What is known of a subject so far.

    Attributes:
        results: one for each check of the task.
        open: the checks that may be asked again.
    """

    subject: Subject
    results: tuple[Result, ...]
    open: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Round:
    """One assessment, under way."""

    task: Task
    hosts: Hosts
    context: Context
    run: str
    keep: Keep
    quota: "_Quota"
    tally: "_Tally"

    async def ask(self, subject: Subject) -> _Answer:
        """All checks of the task on this subject."""
        results, may = await _assess(self, self.task.checks, subject)
        self.context.notify(self.task.assessment, self.tally.reached(results))
        return _Answer(subject=subject, results=tuple(results), open=_open(results) if may else frozenset())

    async def ask_again(self, answer: _Answer) -> _Answer:
        """The checks that are open; what the others said stands."""
        checks = tuple(spec for spec in self.task.checks if spec.id in answer.open)
        results, may = await _assess(self, checks, answer.subject)
        now = {result.check: result for result in results}
        merged = tuple(
            _after(before, now[before.check]) if before.check in now else before for before in answer.results
        )
        return _Answer(subject=answer.subject, results=merged, open=_open(results) if may else frozenset())


def _open(results: Sequence[Result]) -> frozenset[str]:
    return frozenset(result.check for result in results if is_open(result.outcome, result.reason))


def _after(before: Result, result: Result) -> Result:
    """The later result, with what came of the times before."""
    return replace(result, attempts=before.attempts + 1, earlier=(*before.earlier, before.reason))


async def _assess(round_: _Round, checks: tuple[CheckSpec, ...], subject: Subject) -> tuple[list[Result], bool]:
    """The results of one call for these checks, and whether what they leave open may be asked again."""
    task, context = round_.task, round_.context
    started_at = context.clock()
    came: ActionOutput | PluginFault
    host = round_.hosts[task.plugin.installed.distribution]
    try:
        report = await host.execute(
            task.plugin.name,
            ActionInput(
                subject=subject,
                checks=tuple(spec.id for spec in checks),
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
    may = not isinstance(came, PluginFault) or may_repeat(came)
    call = _Call(task=task, checks=checks, subject=subject, context=context, run=round_.run, record=record)
    if not round_.quota.take(record):
        beyond = (
            f"evidence of one assessment may have {MAX_RUN_EVIDENCE_BYTES >> 20} MiB in one run; that of this call is "
            "beyond and was not kept"
        )
        return _without_evidence(call, beyond), False  # there is no more room later
    results, evidence = _recorded(call, came)
    if evidence:
        try:
            await round_.keep(evidence)
        except (EvidenceFullError, NoRoomError, BusyError) as error:  # the last two: too much waits for the disk
            return _without_evidence(call, f"the evidence of this call was not kept: {error}"), False
    return results, may


def _without_evidence(call: "_Call", why: str) -> list[Result]:
    """The results of a call whose evidence there is no room for: what it said cannot be shown, so it does not count."""
    record = replace(call.record, evidence={})
    fault = PluginFault(why, plugin=call.task.plugin.name, phase="execute", kind=FaultKind.LIMIT, record=record)
    return _recorded(replace(call, record=record), fault)[0]


def _require_not_stopped(task: Task, fault: PluginFault, context: Context) -> None:
    """What we ended ourselves says nothing about the subject: it is no result, and done again another time."""
    if fault.kind is FaultKind.STOPPED and context.is_stopped():
        raise _cut_short(task) from fault


def _cut_short(task: Task) -> CutShortError:
    return CutShortError(
        f"assessment {task.assessment!r} was ended before it was over: the runtime was stopped; nothing of it was "
        "recorded"
    )


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


class _Tally:
    """Counts what was asked about once."""

    def __init__(self, found: int) -> None:
        self._found = found
        self._done = self._failing = 0

    def reached(self, results: Sequence[Result]) -> Reached:
        """One subject more."""
        self._done += 1
        self._failing += sum(result.outcome is ResultOutcome.FAIL for result in results)
        return Reached(done=self._done, found=self._found, failing=self._failing)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
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

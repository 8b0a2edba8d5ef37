"""A supervisor without processes: what its plugins say is written down beforehand, try by try.

Replies go through `assess_core.host.call.Call`, as those of real workers do: what is missing from one becomes `error:
not reported` there and not here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from assess_core.assessing.execute import execute
from assess_core.assessing.plan import Callee, Task
from assess_core.assessing.values import Context, Executed, Hosts
from assess_core.errors import FaultKind, PluginFault
from assess_core.host import CallReport, EvaluateReport, Held
from assess_core.host.call import Call
from assess_core.host.messages import Evaluated, Incomplete
from assess_core.host.messages import Executed as ExecutedMessage
from assess_core.journal import Evidence
from assess_core.store import InstalledPlugin
from assess_plugin.models import ActionInput, CheckResult, EvaluateInput, Outcome, Subject
from assess_registry.client import CheckSpec, PluginName, ProjectName, Severity

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HELD = Held(isolation="full", user="uid:61184", landlock_abi=7)
DISTRIBUTION = ProjectName("demo-plugin")

Said = FaultKind | Mapping[str, Outcome | None]
"""What a call comes to: a fault, or an outcome for each check; None for one that is left out of the reply."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a provider found, and could not find."""

    subjects: tuple[str, ...]
    problems: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Scripted:
    """Stands for the supervisor of a distribution with one plugin and one provider.

    Attributes:
        found: what the provider comes to, try by try; the last goes on.
        said: what the plugin comes to on each subject, try by try; the last goes on.
        asked: the checks asked for on each subject, try by try.
    """

    found: Sequence[Found | FaultKind]
    said: Mapping[str, Sequence[Said]]
    asked: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    evaluated: int = 0
    running: int = 0
    most: int = 0

    async def evaluate(self, name: str, input: EvaluateInput, **_: Any) -> EvaluateReport:
        """The next of `found`."""
        came = self.found[min(self.evaluated, len(self.found) - 1)]
        self.evaluated += 1
        await asyncio.sleep(0)
        if isinstance(came, FaultKind):
            raise PluginFault("it failed", plugin=name, phase="evaluate", kind=came)
        call = Call(1, reply=Evaluated, now=NOW)
        if came.problems:
            call.fall_short(Incomplete(call=1, problems=list(came.problems)))
        call.add(Evaluated(call=1, subjects=[subject(each) for each in came.subjects], more=False))
        return call.evaluate_report(1, held=HELD)

    async def execute(self, name: str, input: ActionInput, **_: Any) -> CallReport:
        """The next of what is `said` of this subject."""
        asked = self.asked.setdefault(input.subject.id, [])
        script = self.said[input.subject.id]
        came = script[min(len(asked), len(script) - 1)]
        asked.append(input.checks)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0)
        finally:
            self.running -= 1
        if isinstance(came, FaultKind):
            raise PluginFault("it failed", plugin=name, phase="execute", kind=came)
        call = Call(1, reply=ExecutedMessage, checks=input.checks, now=NOW)
        reported = [(check, came[check]) for check in input.checks]
        results = [
            CheckResult(check_id=check, outcome=outcome, reason=f"try {len(asked)}: {outcome}")
            for check, outcome in reported
            if outcome is not None
        ]
        call.add(ExecutedMessage(call=1, results=results, more=False))
        return call.call_report(1, held=HELD)


def subject(name: str) -> Subject:
    """A subject that the scripted provider may find."""
    return Subject(id=name, type="component", title=name)


def spec(name: str, severity: Severity = "medium") -> CheckSpec:
    """A check of the scripted plugin."""
    return CheckSpec(
        id=name, plugin=PluginName("it"), title=name, severity=severity, controls=("nist-800-53:cm-6",), remediation=""
    )


def scripted_task(checks: Sequence[CheckSpec], *, assessment: str = "host", **changes: Any) -> Task:
    """A task for the scripted plugin and provider, with these fields changed."""
    installed = cast(
        InstalledPlugin,
        SimpleNamespace(distribution=DISTRIBUTION, version="1.0.0", sha256="a" * 64, development=False),
    )
    callee = Callee(installed=installed, name=PluginName("it"), settings={})
    fields: dict[str, Any] = {"selector": {}, "subjects": (), "timeout_s": 10.0}
    return Task(assessment=assessment, plugin=callee, provider=callee, checks=tuple(checks), **(fields | changes))


@dataclass(kw_only=True)
class Clock:
    """Stands still but for what is slept."""

    now: datetime = NOW
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """It is later, and others had their turn."""
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


def scripted_context(clock: Clock | None = None, **changes: Any) -> Context:
    """What all results share, with these fields changed."""
    clock = clock or Clock()
    fields: dict[str, Any] = {
        "runtime": "web-01",
        "labels": {},
        "registry": "production",
        "clock": clock,
        "notify": lambda _assessment, _event: None,
        "sleep": clock.sleep,
        "random": lambda: 0.5,
    }
    return Context(**(fields | changes))


async def keep_nothing(evidence: Evidence) -> None:
    """There is none."""
    assert not evidence


def scripted_run(script: Scripted, task: Task, context: Context | None = None, *, due_at: datetime = NOW) -> Executed:
    """What becomes of the task."""
    hosts = cast(Hosts, {DISTRIBUTION: script})
    return asyncio.run(
        execute(task, hosts=hosts, context=context or scripted_context(), due_at=due_at, keep=keep_nothing)
    )

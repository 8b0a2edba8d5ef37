"""What an assessment found, in the parent's words, and what a run of assessments amounts to.

Nothing that failed may ever look like a pass: outcomes are a closed union without a default, a result that says
nothing must say why, and a run is complete only when every assessment in it reached at least one verdict.

    run.exit_code("low")      # 0 nothing failing, 3 findings, 4 incomplete
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal, Self

from assess_core.clock import require_zone
from assess_core.results.narrowing import Narrowed
from assess_plugin.models import Outcome, Subject

SCHEMA = 1
"""Version of the JSON documents made from these values."""

Severity = Literal["info", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "low", "medium", "high", "critical")
"""In rising order; the words of a manifest's `severity`, which `tests/unit/core/test_results.py` holds together."""

EXIT_CLEAN, EXIT_FINDINGS, EXIT_INCOMPLETE = 0, 3, 4


class ResultOutcome(StrEnum):
    """What is known of one check on one subject. `timeout` is the parent's word alone."""

    PASS = "pass"  # noqa: S105  a verdict, not a password
    FAIL = "fail"
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"
    ERROR = "error"
    TIMEOUT = "timeout"

    @classmethod
    def from_plugin(cls, outcome: Outcome) -> Self:
        """The parent's word for what a plugin said."""
        return cls(outcome.value)


VERDICTS = frozenset((ResultOutcome.PASS, ResultOutcome.FAIL))
"""Outcomes that say something of the subject; all others say something of the attempt."""

BROKEN = frozenset((ResultOutcome.ERROR, ResultOutcome.TIMEOUT))
"""Outcomes that make a run incomplete wherever they appear."""

Why = Literal["schedule", "request", "again"]
"""What made an assessment run: its schedule, somebody who asked, or that it had been cut short and was due still."""

WaiverState = Literal["active", "expiring", "expired", "unused"]
"""Of a waiver in the configuration: it holds; holds and ends soon; has ended; holds, and there is no such failure."""

_RANK: Mapping[str, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginRef:
    """Which code assessed: one entry point of one wheel, by the digest of its bytes."""

    distribution: str
    version: str
    name: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceRef:
    """A piece of evidence by digest; the bytes are in the journal. `name` is the plugin's, `size` in bytes.

    Attributes:
        kept: whether the journal has the bytes still; retention may have taken them, never what is said of them.
    """

    name: str
    sha256: str
    media_type: str
    size: int
    kept: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class WaiverRef:
    """Who answers for a failure that is known, why, and until the end of which day (UTC). It stays a failure."""

    owner: str
    reason: str
    expires: date


@dataclass(frozen=True, kw_only=True, slots=True)
class WaiverStanding:
    """A waiver of the configuration, and what there is to say of it at the time of a run."""

    check: str
    subject: str
    waiver: WaiverRef
    state: WaiverState


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One check on one subject in one run.

    Attributes:
        cpu_ms: processor time of that call; None when there was no process, or in a journal of before it was measured.
        memory_mib: the most memory that the plugin's process had until the call's end; None likewise.
        provenance: what the parent did for the plugin to reach this, for example `{"open": "/etc/login.defs"}`.
        isolation: `full` or `none`: what held the plugin while it ran.
        user: whom it ran as, for example `uid:1000`.
        landlock_abi: version of the kernel's Landlock that held it; 0 when none did.
        relaxed: what the operator's configuration took away from the usual protection, for example
            `runtime.run_plugins_without_isolation = true`.
        waiver: who answers for this failure, where somebody does; of nothing but a failure, which it stays.
        attempts: how often the plugin was asked, this time included.
        earlier: what came of the times before, one reason each: they ended in an error or a timeout.
        registry: where the plugin came from, for example `development`.
        stale: the registry could not be asked whether this is still the version to run.

    Raises:
        TypeError: the outcome is not a `ResultOutcome`.
        ValueError: the severity is unknown, the time has no zone, an outcome that is not a verdict has no reason, or
            something else than a failure is waived.
    """

    result_id: str
    run_id: str
    finding_id: str
    runtime: str
    assessment: str
    plugin: PluginRef
    check: str
    title: str
    severity: Severity
    controls: tuple[str, ...]
    remediation: str
    subject: Subject
    outcome: ResultOutcome
    reason: str
    expected: str | None
    actual: str | None
    started_at: datetime
    duration_ms: int
    isolation: str
    user: str
    landlock_abi: int
    relaxed: tuple[str, ...]
    cpu_ms: float | None = None
    memory_mib: int | None = None
    provenance: tuple[Mapping[str, Any], ...] = ()
    evidence: tuple[EvidenceRef, ...] = ()
    waiver: WaiverRef | None = None
    attempts: int = 1
    earlier: tuple[str, ...] = ()
    registry: str
    stale: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.outcome, ResultOutcome):
            raise TypeError(f"outcome of {self.check!r} must be a ResultOutcome, got {self.outcome!r}")
        if self.severity not in _RANK:
            raise ValueError(
                f"severity of {self.check!r} must be one of {', '.join(SEVERITIES)}, got {self.severity!r}"
            )
        if self.outcome not in VERDICTS and not self.reason.strip():
            raise ValueError(f"{self.outcome.value} result of {self.check!r} needs a reason")
        if self.waiver is not None and self.outcome is not ResultOutcome.FAIL:
            raise ValueError(f"{self.outcome.value} result of {self.check!r} cannot be waived: only a failure can")
        require_zone(self.started_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class AssessmentRun:
    """One assessment, carried out once.

    Attributes:
        plugin: None when no plugin could be named, for example because none is installed.
        subjects: how many the provider found.
        problem: why it could not be assessed as it should have been (the provider failed, the plugin or the version
            that was asked for did not start); None when every subject was handed to the right plugin.
        attempt: counts the times it was begun for this due time; more than 1 when a run was cut short.
        why: what made it run.
        narrowed: to what, where somebody asked for some of its checks or subjects alone; None when it was whole.
    """

    run_id: str
    assessment: str
    plugin: PluginRef | None
    provider: str
    due_at: datetime
    started_at: datetime
    ended_at: datetime
    subjects: int
    problem: str | None = None
    attempt: int = 1
    why: Why = "request"
    narrowed: Narrowed | None = None

    def __post_init__(self) -> None:
        require_zone(self.due_at, self.started_at, self.ended_at)
        if self.problem is not None and not self.problem.strip():
            raise ValueError(f"problem of assessment {self.assessment!r} is blank; None means that there was none")


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """When a check failed on a subject, over all runs.

    Attributes:
        first_at: when it first did.
        failing_since: when it began to do so without a pass since; None when it passes.
        last_at: when it last did.
    """

    first_at: datetime
    failing_since: datetime | None
    last_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingVersion:
    """A newer version that did not run, because it asks for more than the one that did and nobody has consented.

    Attributes:
        running: the version that ran.
        added: what the newer one asks for besides, as people read it.
        consent: the command that consents.
    """

    distribution: str
    version: str
    running: str
    added: tuple[str, ...]
    consent: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Everything that was assessed together, and what it amounts to.

    Attributes:
        waiting: newer versions that wait for consent; of a run from the journal nothing is known of that.
        waivers: all that the configuration had then; of a run from the journal likewise nothing.
    """

    runtime: str
    started_at: datetime
    ended_at: datetime
    assessments: tuple[AssessmentRun, ...]
    results: tuple[Result, ...]
    waiting: tuple[WaitingVersion, ...] = ()
    waivers: tuple[WaiverStanding, ...] = ()
    seen: Mapping[str, Seen] = field(default_factory=dict)
    counts: Mapping[ResultOutcome, int] = field(init=False, compare=False)
    """How many results have each outcome; every outcome is a key, also with 0."""

    def __post_init__(self) -> None:
        require_zone(self.started_at, self.ended_at)
        counts = dict.fromkeys(ResultOutcome, 0)
        for result in self.results:
            counts[result.outcome] += 1
        object.__setattr__(self, "counts", counts)

    def findings(self, fail_on: Severity | None) -> tuple[Result, ...]:
        """The failed results at or above a severity; none when `fail_on` is None."""
        if fail_on is None:
            return ()
        least = _RANK[fail_on]
        return tuple(r for r in self.results if r.outcome is ResultOutcome.FAIL and _RANK[r.severity] >= least)

    @property
    def waived(self) -> int:
        """How many of the failures somebody answers for. They are counted as failures, and exit as failures."""
        return sum(result.waiver is not None for result in self.results)

    def shortcomings(self) -> tuple[str, ...]:
        """Why the run is incomplete, one sentence each; empty when it is complete.

        It is incomplete if any result is an error or a timeout, if any assessment has a problem or reached no pass
        and no fail at all, or if there was no assessment.
        """
        if not self.assessments:
            return ("nothing was assessed: there is no assessment",)
        reached = {result.run_id for result in self.results if result.outcome in VERDICTS}
        sentences = [sentence for run in self.assessments if (sentence := _shortcoming(run, reached))]
        broken = [outcome for outcome in ResultOutcome if outcome in BROKEN and self.counts[outcome]]
        return (*sentences, *(f"{self.counts[outcome]} result(s) ended as {outcome.value}" for outcome in broken))

    def exit_code(self, fail_on: Severity | None) -> int:
        """The exit code this run deserves: 4 incomplete (outranks all), 3 findings at or above `fail_on`, else 0.

        `fail_on=None` switches off 3 and nothing else.
        """
        if self.shortcomings():
            return EXIT_INCOMPLETE
        return EXIT_FINDINGS if self.findings(fail_on) else EXIT_CLEAN


def severity_rank(severity: Severity) -> int:
    """0 for `info`, rising."""
    return _RANK[severity]


def _shortcoming(run: AssessmentRun, reached: set[str]) -> str | None:
    if run.problem is not None and run.run_id in reached:
        return f"assessment {run.assessment!r} is not whole: {run.problem}"
    if run.problem is not None:
        return f"assessment {run.assessment!r} could not be done: {run.problem}"
    if run.run_id not in reached:
        return f"assessment {run.assessment!r} reached no pass and no fail on {run.subjects} subject(s)"
    return None

"""What a runtime does, as Prometheus reads it: counts since it started, and how things stand at the moment of asking.

    metrics = Metrics({"version": "0.1.0"})
    metrics.run_ended("host", complete=True, outcomes={"pass": 58, "fail": 2}, seconds=1.2)
    body = metrics.text(standing)            # exposition format 0.0.4

Anybody on this machine may read it: there are numbers by assessment, check outcome and plugin, and no subject, no
reason, no path. The text is made by prometheus_client; counts are our own, since its counters go to files of whatever
directory the environment names (PROMETHEUS_MULTIPROC_DIR).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = TypeVar("Labels", bound=tuple[str, ...])

LATENESS_S = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0)
"""Upper bounds of how late a run begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How things stand. Times are seconds since the epoch, sizes bytes.

    Attributes:
        next_start_at: by assessment; those that are never due are not there.
        last_complete_at: by assessment, of its last complete run; 0 where there was none and should have been.
        running, queued: runs under way, and those that wait for one of the same assessment.
        workers: how the workers of each distribution stand, by distribution.
        restarts: workers started in place of one that had ended, by distribution, since this version serves.
        findings: open ones by severity.
        waivers: by state.
        stale: whether the registry's word is older than it should be.
        refused: whether the configuration as it is now is not followed.
        full: whether what is due or was found cannot be written down.
    """

    next_start_at: Mapping[str, float] = field(default_factory=dict)
    last_complete_at: Mapping[str, float] = field(default_factory=dict)
    running: int = 0
    queued: int = 0
    workers: Mapping[str, str] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    findings: Mapping[str, int] = field(default_factory=dict)
    waivers: Mapping[str, int] = field(default_factory=dict)
    journal_bytes: int = 0
    evidence_bytes: int = 0
    stale: bool = False
    refused: bool = False
    full: bool = False


class Metrics:
    """Counts, and makes the text. For one thread: the loop's. Another one makes the text of a `copy`.

    Args:
        build: labels of `assess_build_info`.
    """

    def __init__(self, build: Mapping[str, str]) -> None:
        self._build = dict(build)
        self._runs: Counter[tuple[str, str]] = Counter()
        self._results: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, float] = {}
        self._skipped: Counter[tuple[str, str]] = Counter()
        self._late = [0] * (len(LATENESS_S) + 1)
        self._late_sum = 0.0
        self._clock_steps = 0
        self._crashes = 0
        self._process = ProcessCollector(registry=None)

    def started(self, lateness_s: float) -> None:
        """A run began so long after it was due to begin."""
        self._late[bisect_left(LATENESS_S, lateness_s)] += 1
        self._late_sum += max(0.0, lateness_s)

    def run_ended(self, assessment: str, *, complete: bool, outcomes: Mapping[str, int], seconds: float) -> None:
        """It is recorded."""
        self._runs[assessment, "complete" if complete else "incomplete"] += 1
        self._seconds[assessment] = self._seconds.get(assessment, 0.0) + seconds
        for outcome, count in outcomes.items():
            self._results[assessment, outcome] += count

    def run_lost(self, assessment: str, why: str) -> None:
        """Nothing is recorded of it: cut short, or failed with an error of ours."""
        self._runs[assessment, why] += 1

    def skipped(self, assessment: str, why: str, count: int = 1) -> None:
        """Due times that have no run; a range of missed ones counts once."""
        self._skipped[assessment, why] += count

    def clock_stepped(self) -> None:
        """The machine's clock was set."""
        self._clock_steps += 1

    def crashed(self) -> None:
        """A bug of ours was met."""
        self._crashes += 1

    def forget(self, assessments: set[str]) -> None:
        """Those are configured; what is counted of others goes."""
        for counts in (self._runs, self._results, self._skipped):
            for key in [key for key in counts if key[0] not in assessments]:
                del counts[key]
        for name in [name for name in self._seconds if name not in assessments]:
            del self._seconds[name]

    def copy(self) -> "Metrics":
        """As it is now, and stays: text of 10,000 assessments takes seconds, in which the loop goes on counting."""
        made = copy(self)
        for counts in ("_runs", "_results", "_seconds", "_skipped", "_late"):
            setattr(made, counts, copy(getattr(self, counts)))
        return made

    def text(self, standing: Standing) -> bytes:
        """All of it, as of now."""
        registry = CollectorRegistry()
        registry.register(_Families([*self._counted(), *_standing(standing), *self._process.collect()]))
        return generate_latest(registry)

    def _counted(self) -> Iterator[Metric]:
        yield _gauge("assess_build_info", "What runs.", tuple(self._build), {tuple(self._build.values()): 1})
        yield _counter("assess_runs", "Runs that ended.", ("assessment", "state"), self._runs)
        yield _counter("assess_results", "Results recorded.", ("assessment", "outcome"), self._results)
        seconds = {(name,): value for name, value in self._seconds.items()}
        yield _counter("assess_run_seconds", "Time that recorded runs took.", ("assessment",), seconds)
        yield _counter(
            "assess_skipped", "What was due and has no run; missed in one go: 1.", ("assessment", "why"), self._skipped
        )
        yield _counter("assess_clock_steps", "How often the clock was set.", (), {(): self._clock_steps})
        yield _counter("assess_crashes", "Bugs of assess that were met.", (), {(): self._crashes})
        late = HistogramMetricFamily("assess_start_lateness_seconds", "How late runs began.")
        bounds = [*map(str, LATENESS_S), "+Inf"]
        late.add_metric([], list(zip(bounds, accumulate(self._late), strict=True)), self._late_sum)
        yield late


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _standing(now: Standing) -> Iterator[Metric]:
    due = {(name,): at for name, at in now.next_start_at.items()}
    yield _gauge("assess_next_start_timestamp_seconds", "When it begins next.", ("assessment",), due)
    complete = {(name,): at for name, at in now.last_complete_at.items()}
    yield _gauge("assess_last_complete_timestamp_seconds", "Its last complete run.", ("assessment",), complete)
    yield _gauge("assess_running", "Runs under way.", (), {(): now.running})
    yield _gauge("assess_queued", "Runs that wait.", (), {(): now.queued})
    workers = dict.fromkeys(now.workers.items(), 1)
    yield _gauge("assess_workers", "1: how a plugin's processes stand.", ("distribution", "state"), workers)
    restarts = {(name,): count for name, count in now.restarts.items()}
    yield _counter("assess_worker_restarts", "Processes started in place of another.", ("distribution",), restarts)
    findings = {(severity,): count for severity, count in now.findings.items()}
    yield _gauge("assess_findings_open", "Findings that fail.", ("severity",), findings)
    waivers = {(state,): count for state, count in now.waivers.items()}
    yield _gauge("assess_waivers", "Waivers.", ("state",), waivers)
    yield _gauge("assess_journal_bytes", "The journal on disk.", (), {(): now.journal_bytes})
    yield _gauge("assess_evidence_bytes", "Evidence in the journal.", (), {(): now.evidence_bytes})
    yield _gauge("assess_journal_full", "1: what is due or was found cannot be written.", (), {(): int(now.full)})
    yield _gauge("assess_registry_stale", "1: the registry's word is too old.", (), {(): int(now.stale)})
    yield _gauge("assess_config_refused", "1: the configuration is not followed.", (), {(): int(now.refused)})


def _counter(name: str, text: str, labels: tuple[str, ...], values: Mapping[Labels, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(list(label_values), value)
    return family


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[Labels, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values.items():
        family.add_metric(list(label_values), value)
    return family

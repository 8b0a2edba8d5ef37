"""A whole audit of the sample plugin, and where its time goes, beside bandit alone on the same files."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from assess_registry.audit.checks import CHECKS
from assess_registry.audit.context import Check, Context
from assess_registry.audit.pipeline import Terms, examine
from assess_registry.audit.source import BuiltWheel, build_wheel
from assess_registry.audit.values import Examination, Subject
from assess_registry.wheel import inspect, unpacked_files
from bench.effort import Effort, seconds
from bench.rows import Report, Row, paragraphs
from bench.stats import Sample, ratio

TITLE = "A whole audit"
NOTES = """
The sample plugin, {files} files: strict inspection, a private copy, and every check, without advisories and without a
closure. Beside it bandit as a program of its own on the same files, started once, with its own defaults; an audit
starts it for batches of files, so that one that breaks it is named. The rows below are the checks that take the most.

There is no goal for this: the figures say what a maintainer waits for.
"""
SAMPLE = Path(__file__).parents[1] / "contrib" / "sample_plugin"
SHOWN = 5


@dataclass
class Timed:
    """A check that remembers how long it took."""

    check: Check
    NAME: str = field(init=False)
    taken: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.NAME = self.check.NAME

    def examine(self, subject: Subject, context: Context) -> Examination:
        """As the check does."""
        started = perf_counter()
        try:
            return self.check.examine(subject, context)
        finally:
            self.taken.append((perf_counter() - started) * 1000)


def run(effort: Effort) -> Report:
    """The audit and its peer, alternately."""
    with tempfile.TemporaryDirectory() as scratch:
        built = build_wheel(SAMPLE, Path(scratch))
    checks = tuple(Timed(check) for check in CHECKS)
    terms = Terms(as_of=datetime.now(UTC).date())
    whole: list[float] = []
    alone: list[float] = []
    for _ in range(effort.of(7, 1)):
        whole.append(
            1000 * seconds(lambda: examine(built.data, built.filename, closure=None, terms=terms, checks=checks))
        )
        alone.append(1000 * _bandit(built))
    ours, theirs = (Sample(unit="ms", values=tuple(values)) for values in (whole, alone))
    files = len(inspect(built.data, built.filename, kind="plugin").entries)
    rows = [
        Row(
            what="audit of the sample plugin",
            ours=ours,
            peer="bandit alone",
            theirs=theirs,
            measured=ratio(ours, theirs),
        ),
        *_slowest({check.NAME: check.taken for check in checks}),
    ]
    return Report(rows=tuple(rows), notes=paragraphs(NOTES, files=files))


def _slowest(taken: Mapping[str, list[float]]) -> list[Row]:
    samples = {name: Sample(unit="ms", values=tuple(values)) for name, values in taken.items()}
    worst = sorted(samples, key=lambda name: samples[name].median, reverse=True)[:SHOWN]
    return [Row(what=f"of which check `{name}`", ours=samples[name]) for name in worst]


def _bandit(built: BuiltWheel) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        for file in unpacked_files(built.data, inspect(built.data, built.filename, kind="plugin")):
            path = Path(scratch, file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
        argv = [sys.executable, "-I", "-m", "bandit", "-q", "-r", "-f", "json", scratch]
        return seconds(lambda: subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False))

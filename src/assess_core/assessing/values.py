"""What executing is given and what it comes to: no rule is here, and nothing runs."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from assess_core.clock import Clock
from assess_core.host import LogLine, Progress, Supervisor
from assess_core.journal import Evidence
from assess_core.results import AssessmentRun, Result, WaitingVersion, Why, run_id
from assess_core.results.waivers import NOTICE_D, Waivers
from assess_registry.client import ProjectName

SUBJECTS_AT_ONCE = 64
"""Of one assessment, unless its runtime says otherwise; how many calls there are at a time, its turns say."""

Hosts = Mapping[ProjectName, Supervisor]

Keep = Callable[[Evidence], Awaitable[None]]


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
    run_ids: Mapping[str, str] = field(default_factory=dict)
    """Of assessments whose runs were given ids when they were decided, perhaps under another name of this runtime."""
    attempt: int = 1
    why: Why = "request"
    waivers: Waivers = field(default_factory=Waivers)
    waiver_notice_d: float = NOTICE_D
    subjects_at_once: int = SUBJECTS_AT_ONCE
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random

    def run_id(self, assessment: str, due_at: datetime) -> str:
        """Of the run of an assessment that is due then."""
        return self.run_ids.get(assessment) or run_id(self.runtime, assessment, due_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Executed:
    """One assessment, done: what is recorded. The evidence its results refer to has been kept."""

    run: AssessmentRun
    results: tuple[Result, ...]

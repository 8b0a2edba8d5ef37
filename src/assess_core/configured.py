"""What a configuration says, as values of those who go by it."""

import os
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import lru_cache

from assess_core.config import AssessmentConfig, Config, MaintenanceConfig, RuntimeConfig
from assess_core.host import Isolation
from assess_core.results.waivers import Waiver, Waivers
from assess_core.schedule.decide import Rule
from assess_core.schedule.jitter import offset, usual_jitter
from assess_core.schedule.spec import Spec, parse_duration, parse_schedule
from assess_core.schedule.windows import Window

CALLS_EACH_PROCESSOR = 4
"""Plugins mostly wait, for a disk or for somebody's answer."""

MIN_CALLS = 8


def rules_of(config: Config) -> tuple[Rule, ...]:
    """A rule for each assessment that is enabled."""
    # Thousands of assessments have few expressions, and one object of each is asked once for all of them.
    spec = lru_cache(maxsize=None)(parse_schedule)
    windows = [(entry.assessments, _window(entry, config.runtime.tz)) for entry in config.maintenance]
    return tuple(
        Rule(
            runtime=config.runtime.id,
            assessment=entry.id,
            spec=(when := spec(entry.schedule, entry.tz or config.runtime.tz) if entry.schedule else None),
            offset=_offset(config.runtime.id, entry, when),
            overlap=entry.overlap,
            misfire=entry.misfire,
            grace=timedelta(seconds=entry.grace_s),
            windows=tuple(window for patterns, window in windows if any(fnmatchcase(entry.id, p) for p in patterns)),
        )
        for entry in config.assessments
        if entry.enabled
    )


def _offset(runtime: str, entry: AssessmentConfig, spec: Spec | None) -> timedelta:
    if spec is None:
        return timedelta(0)
    return offset(runtime, entry.id, usual_jitter(spec) if entry.jitter is None else parse_duration(entry.jitter))


def _window(entry: MaintenanceConfig, zone: str) -> Window:
    return Window(
        id=entry.id,
        word=entry.when,
        opens=parse_schedule(entry.opens, entry.tz or zone).times if entry.opens else None,
        duration=parse_duration(entry.duration) if entry.duration is not None else timedelta(0),
        begins=entry.from_,
        ends=entry.until,
    )


def waivers_of(config: Config) -> Waivers:
    """The failures that somebody answers for."""
    return Waivers(
        Waiver(check=each.check, subject=each.subject, owner=each.owner, reason=each.reason, expires=each.expires)
        for each in config.waivers
    )


def calls_at_once(config: RuntimeConfig) -> int:
    """How many calls of plugins there may be at a time."""
    return config.calls or max(MIN_CALLS, CALLS_EACH_PROCESSOR * (os.cpu_count() or 1))


def isolation_of(config: RuntimeConfig) -> Isolation:
    """What is asked of the host for plugins' processes."""
    if config.run_plugins_without_isolation:
        return "off"
    return "required" if config.require_isolation == "full" else "wanted"

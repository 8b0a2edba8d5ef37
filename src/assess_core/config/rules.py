"""A configuration's schedules and windows, as the scheduler goes by them."""

from datetime import timedelta
from fnmatch import fnmatchcase

from assess_core.config.model import AssessmentConfig, Config, MaintenanceConfig
from assess_core.schedule import Rule, Window, offset, parse_duration, parse_schedule, usual_jitter


def rules_of(config: Config) -> tuple[Rule, ...]:
    """One rule for each assessment that is enabled, in the order of the file."""
    windows = [(each, _window(each, config)) for each in config.maintenance]
    return tuple(
        _rule(
            one,
            config,
            tuple(
                window for each, window in windows if any(fnmatchcase(one.id, pattern) for pattern in each.assessments)
            ),
        )
        for one in config.assessments
        if one.enabled
    )


def _rule(one: AssessmentConfig, config: Config, windows: tuple[Window, ...]) -> Rule:
    spec = parse_schedule(one.schedule, one.tz or config.runtime.tz) if one.schedule else None
    bound = timedelta(0)
    if spec is not None:
        bound = parse_duration(one.jitter) if one.jitter is not None else usual_jitter(spec)
    return Rule(
        runtime=config.runtime.id,
        assessment=one.id,
        spec=spec,
        offset=offset(config.runtime.id, one.id, bound),
        overlap=one.overlap,
        misfire=one.misfire,
        grace=timedelta(seconds=one.grace_s),
        windows=windows,
    )


def _window(one: MaintenanceConfig, config: Config) -> Window:
    opens = parse_schedule(one.opens, one.tz or config.runtime.tz).times if one.opens else None
    return Window(
        id=one.id,
        word=one.when,
        opens=opens,
        duration=parse_duration(one.duration) if one.duration is not None else timedelta(0),
        begins=one.from_,
        ends=one.until,
    )

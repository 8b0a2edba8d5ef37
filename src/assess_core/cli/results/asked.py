"""Runs as people name them, and as they are shown again."""

from assess_core.errors import ConfigError
from assess_core.results import AssessmentRun, Run
from assess_core.runtime import Runtime
from assess_registry.client import plain


def named(runtime: Runtime, prefix: str) -> AssessmentRun:
    """The run whose id begins so.

    Raises:
        ConfigError: there is none, or more than one.
    """
    found = runtime.journal.find(prefix) if prefix else ()
    if len(found) != 1:
        amount = "no run begins" if not found else "several runs begin"
        raise ConfigError(f"{amount} with {plain(prefix)!r}; `assess results list` shows their ids")
    return found[0]


def again(runtime: Runtime, recorded: AssessmentRun) -> Run:
    """The run with its results, as the journal has them."""
    results = runtime.journal.results(recorded.run_id)
    return Run(
        # What the results say: the runtime may have been renamed since.
        runtime=results[0].runtime if results else runtime.config.runtime.id,
        started_at=recorded.started_at,
        ended_at=recorded.ended_at,
        assessments=(recorded,),
        results=results,
        seen=runtime.journal.seen(result.finding_id for result in results),
    )

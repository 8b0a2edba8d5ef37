"""Runs as people name them, and as they are shown again."""

from collections.abc import Collection

from assess_core.config import nearest
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


def require_known(assessment: str, known: Collection[str]) -> None:
    """An empty answer is an answer only of what there is.

    Raises:
        ConfigError: neither the configuration nor a run has one of this name.
    """
    if assessment not in known:
        hint = nearest(assessment, known)
        raise ConfigError(f"--assessment: none is configured and no run is of one named {plain(assessment)!r}{hint}")


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

"""Results become facts: committed to the journal first, only then counted or shown."""

from collections.abc import Callable, Sequence
from datetime import datetime

from assess_core.errors import StoreError
from assess_core.execute import Executed
from assess_core.journal import Journal
from assess_core.results import Run, WaitingVersion


def commit(executed: Executed, *, journal: Journal, holds: Callable[[], bool] = lambda: True) -> None:
    """This assessment's results are on disk, each exactly once, with their evidence.

    Raises:
        OvertakenError: when the journal's turn came they did not hold any more (`Journal.record`).
        StoreError: the journal could not take them (no room, no right); none of them is there then. Or it has results
            of this run already, which only a clock that was set back can cause.
    """
    new = journal.record(executed.run, executed.results, {}, holds=holds)
    if new != len(executed.results):
        raise StoreError(
            f"run {executed.run.run_id} of assessment {executed.run.assessment!r} is in the journal already: was the "
            "clock set back? Nothing of this run was recorded a second time; run again"
        )


def combine(
    runtime: str,
    executed: Sequence[Executed],
    *,
    started_at: datetime,
    ended_at: datetime,
    waiting: tuple[WaitingVersion, ...] = (),
) -> Run:
    """Several assessments of one occasion as one value: what formats render and the exit code is taken from."""
    return Run(
        runtime=runtime,
        started_at=started_at,
        ended_at=ended_at,
        assessments=tuple(one.run for one in executed),
        results=tuple(result for one in executed for result in one.results),
        waiting=waiting,
    )

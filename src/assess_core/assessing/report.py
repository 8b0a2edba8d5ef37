"""Results become facts: committed to the journal first, only then counted or shown."""

from collections.abc import Callable, Sequence
from datetime import datetime

from assess_core.assessing.execute import Executed
from assess_core.journal import Journal
from assess_core.results import Run, WaitingVersion, WaiverStanding


def commit(executed: Executed, *, journal: Journal, holds: Callable[[], bool] = lambda: True) -> None:
    """This assessment's results are on disk, each exactly once, with their evidence.

    Raises:
        OvertakenError: when the journal's turn came they did not hold any more (`Journal.record`).
        AlreadyRecordedError: it has another run of this id, because the clock was set back, or because somebody else
            began it at the same microsecond.
        StoreError: the journal could not take them (no room, no right); none of them is there then.
    """
    journal.record(executed.run, executed.results, {}, holds=holds)


def combine(
    runtime: str,
    executed: Sequence[Executed],
    *,
    started_at: datetime,
    ended_at: datetime,
    waiting: tuple[WaitingVersion, ...] = (),
    waivers: tuple[WaiverStanding, ...] = (),
) -> Run:
    """Several assessments of one occasion as one value: what formats render and the exit code is taken from."""
    return Run(
        runtime=runtime,
        started_at=started_at,
        ended_at=ended_at,
        assessments=tuple(one.run for one in executed),
        results=tuple(result for one in executed for result in one.results),
        waiting=waiting,
        waivers=waivers,
    )

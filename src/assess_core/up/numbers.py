"""The numbers of a runtime that is up, gathered from whoever has them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from assess_core.config import Config
from assess_core.configured import waivers_of
from assess_core.host.aside import aside
from assess_core.live.live import Live
from assess_core.observe.metrics import Standing
from assess_core.schedule.telling import Planned


async def gather(live: Live, planned: Sequence[Planned], config: Config, *, now: datetime) -> Standing:
    """As of now.

    Args:
        live: which runs.
        planned: how each assessment stands.
        config: what is followed.
        now: the time.

    Raises:
        StoreError: the journal does not answer.
    """
    kept = await aside(live.journal.figures)
    # Asked anew: another process may have recorded one, and an assessment may have come or gone.
    enabled = [each.id for each in config.assessments if each.enabled]
    complete_at = await aside(partial(live.journal.completed_at, enabled))
    return Standing(
        next_start_at={each.assessment: each.next_start_at.timestamp() for each in planned if each.next_start_at},
        last_complete_at=_last_complete(config, complete_at),
        running=sum(len(each.running) for each in planned),
        queued=sum(each.waiting is not None for each in planned),
        workers={name: standing.state.value for name, (_, standing) in live.standing.items()},
        restarts={name: standing.restarts for name, (_, standing) in live.standing.items()},
        findings=kept.open_findings,
        waivers=Counter(waiver.state(now, notice_d=config.results.waiver_notice_d) for waiver in waivers_of(config)),
        journal_bytes=kept.journal_bytes,
        evidence_bytes=kept.evidence_bytes,
        stale=bool(live.stale),
        refused=bool(live.refused),
    )


def _last_complete(config: Config, complete_at: Mapping[str, datetime]) -> dict[str, float]:
    """By assessment; 0 of what should have been complete by its schedule and never was: who watches must hear of it."""
    never = {each.id: 0.0 for each in config.assessments if each.enabled and each.schedule}
    return never | {name: at.timestamp() for name, at in complete_at.items()}

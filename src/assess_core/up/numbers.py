"""The numbers of a runtime that is up, gathered from whoever has them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from assess_core.config import Config
from assess_core.configured import waivers_of
from assess_core.host.aside import aside
from assess_core.live.live import Live
from assess_core.observe.metrics import Standing
from assess_core.schedule.telling import Planned


async def gather(
    live: Live, planned: Sequence[Planned], config: Config, complete_at: Mapping[str, datetime], *, now: datetime
) -> Standing:
    """As of now.

    Args:
        live: which runs.
        planned: how each assessment stands.
        config: what is followed.
        complete_at: when the last complete run of each assessment ended.
        now: the time.

    Raises:
        StoreError: the journal does not answer.
    """
    kept = await aside(live.journal.figures)
    return Standing(
        next_start_at={each.assessment: each.next_start_at.timestamp() for each in planned if each.next_start_at},
        last_complete_at={name: at.timestamp() for name, at in complete_at.items()},
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

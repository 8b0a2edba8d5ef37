"""Since when a check has been failing on a subject, when it first did, and when it last did.

Only what says something of the subject changes that: a failure opens a finding, a pass or `not-applicable` closes it,
and an error, a timeout, what was skipped or not asked leaves it as it was. So does a run that began before the last
one that said something: runs beside each other are recorded in any order. What was said more than a day from now does
not count: the clock was wrong then, and nobody waits until it is right.
"""

from collections.abc import Iterable, Mapping, Sequence

from assess_core.journal.database import Connection, Database
from assess_core.journal.documents import microseconds, moment, to_bytes
from assess_core.results import AssessmentRun, Result, ResultOutcome, Seen

_FAILED = (
    "INSERT INTO findings (finding_id, subject, check_id, severity, first_us, since_us, last_us, judged_us, run_id) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5, ?5, ?6) ON CONFLICT (finding_id) DO UPDATE SET severity = ?4, "
    "since_us = CASE WHEN since_us <= ?7 THEN since_us ELSE ?5 END, last_us = ?5, judged_us = ?5, run_id = ?6 "
    "WHERE judged_us <= ?5 OR judged_us > ?7"
)
_EARLIER = "UPDATE findings SET first_us = ?2 WHERE finding_id = ?1 AND first_us > ?2"
_CLEARED = (
    "UPDATE findings SET since_us = NULL, judged_us = ?2 WHERE finding_id = ?1 AND (judged_us <= ?2 OR judged_us > ?3)"
)

_CLEARING = frozenset((ResultOutcome.PASS, ResultOutcome.NOT_APPLICABLE))

_DAY_US = 86_400_000_000

_AT_ONCE = 500
"""Ids asked for in one statement."""


def note(connection: Connection, run: AssessmentRun, results: Sequence[Result], *, now_us: int) -> None:
    """In this transaction it is known what the results say of each finding."""
    at_us = microseconds(run.started_at)
    glitch_us = max(at_us, now_us) + _DAY_US
    failed = [result for result in results if result.outcome is ResultOutcome.FAIL]
    rows = [(r.finding_id, to_bytes(r.subject.id), r.check, r.severity, at_us, run.run_id, glitch_us) for r in failed]
    connection.executemany(_FAILED, rows)
    connection.executemany(_EARLIER, [(result.finding_id, at_us) for result in failed])
    connection.executemany(_CLEARED, [(r.finding_id, at_us, glitch_us) for r in results if r.outcome in _CLEARING])


def seen(database: Database, finding_ids: Iterable[str]) -> Mapping[str, Seen]:
    """What is known of these, by id; of one that never failed there is nothing."""
    found: dict[str, Seen] = {}
    wanted = sorted(set(finding_ids))
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        statement = f"SELECT finding_id, first_us, since_us, last_us FROM findings WHERE finding_id IN ({marks})"  # noqa: S608
        for finding_id, first_us, since_us, last_us in database.select(statement, *some):
            found[finding_id] = Seen(
                first_at=moment(first_us),
                failing_since=None if since_us is None else moment(since_us),
                last_at=moment(last_us),
            )
    return found

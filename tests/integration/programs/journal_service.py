"""Uses a journal as a service does: schedules, evidence and results of many assessments at once, signed.

journal_service.py STATE NAME MINUTES       says `told RUN_ID` for each run once it is recorded

Each minute is one due time of five assessments. Begun again it goes on where it was.
"""

import hashlib
import sys
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path

from tests.support.results import NOON, make_assessment, make_result, with_evidence

from assess_core.journal import Journal, Signer
from assess_core.journal.identity import Identity
from assess_core.results import run_id
from assess_core.schedule import Claim, Cursor, Due, Row, Skip

ASSESSMENTS = 5
MINUTE = timedelta(minutes=1)


def open_journal(state: Path) -> Journal:
    return Journal.open(state / "journal.db", signer=Signer(Identity(state / "identity"), lambda: "web-01"))


def serve(state: Path, name: str, minutes: int) -> None:
    with open_journal(state) as journal:
        journal.limit_evidence(3000)
        names = [f"{name}{n}" for n in range(ASSESSMENTS)]
        store = journal.schedules()
        kept = store.kept()
        for row in kept.rows:
            if row.due.assessment in names:
                record(journal, row.due).result(60)
                print(f"told {row.due.run_id}", flush=True)
        cursors = {cursor.assessment: cursor.at for cursor in kept.cursors}
        begun = max((at for assessment, at in cursors.items() if assessment in names), default=NOON - MINUTE)
        for minute in range((begun - NOON) // MINUTE + 1, minutes):
            dues = [due(assessment, NOON + minute * MINUTE) for assessment in names]
            claim(journal, dues, skipped=minute % 3 == 2)
            told = [(each, record(journal, each)) for each in dues if minute % 3 != 2]
            for each, future in told:
                future.result(60)
                print(f"told {each.run_id}", flush=True)


def due(assessment: str, at: datetime) -> Due:
    run = run_id("web-01", assessment, at)
    return Due(run_id=run, assessment=assessment, due_at=at, start_at=at, claimed_at=at)


def claim(journal: Journal, dues: list[Due], *, skipped: bool) -> None:
    at = dues[0].due_at
    cursors = tuple(Cursor(assessment=each.assessment, spec="every 1m", at=at) for each in dues)
    if skipped:
        skips = tuple(Skip(assessment=each.assessment, first_at=at, last_at=at, why="overlap") for each in dues)
        journal.schedules().claim(Claim(at=at, cursors=cursors, skips=skips))
    else:
        rows = tuple(Row(due=each, state="running") for each in dues)
        assert journal.schedules().claim(Claim(at=at, cursors=cursors, rows=rows)) == frozenset()


def record(journal: Journal, each: Due) -> "Future[int]":
    data = f"evidence of {each.run_id} {'-' * 60}".encode()
    digest = hashlib.sha256(data).hexdigest()
    journal.writer().keep({digest: ("text/plain", data)}).result(60)
    run = make_assessment(assessment=each.assessment, run_id=each.run_id, due_at=each.due_at, started_at=each.due_at)
    results = [
        make_result(assessment=each.assessment, run_id=each.run_id, check=f"check-{n}", evidence=with_evidence(digest))
        for n in range(3)
    ]
    return journal.writer().record(run, results, {})


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))

"""The journal as others see it: what can be recorded and asked.

A result counts once it is here. One `record` is one transaction: an assessment's run, all its results and their
evidence, or nothing of it; recording the same again changes nothing, and what is recorded is never added to.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from assess_core.clock import utc_now
from assess_core.errors import StoreError
from assess_core.journal import evidence as pieces
from assess_core.journal import findings, health, retention
from assess_core.journal.backup import Backup, back_up
from assess_core.journal.compacting import Compacted, compact
from assess_core.journal.database import Connection, Database, quick_check
from assess_core.journal.evidence import Evidence
from assess_core.journal.figures import Figures, completed_at, figures
from assess_core.journal.identity import Head
from assess_core.journal.listing import Listed, complete_before, listed
from assess_core.journal.migrations import MIGRATIONS
from assess_core.journal.retention import Age, Removed
from assess_core.journal.runs import always, make_record, read_results, read_runs, write
from assess_core.journal.schedules import Schedules, ask, read_skips
from assess_core.journal.signing import Signer
from assess_core.journal.verifying import Report, verify
from assess_core.journal.writer import Writer
from assess_core.results import AssessmentRun, Result, Seen
from assess_core.schedule import Asked, Skip
from assess_registry.client import PublicKey

_log = logging.getLogger(__name__)


class Journal:
    """An open journal. Threads may share it, processes may each have one; a context manager that closes."""

    def __init__(self, database: Database, signer: Signer | None = None) -> None:
        self._database = database
        self._signer = signer
        if signer is not None:
            database.committed = signer.committed
        self._keeper = pieces.Keeper(told=self._removed)
        self._opening = threading.Lock()
        self._writer: Writer | None = None

    @classmethod
    def open(cls, path: Path, *, signer: Signer | None = None) -> Self:
        """The journal at this path, made if absent (mode 0600) and brought to the current layout.

        Args:
            path: of the file.
            signer: who vouches for what is recorded; without one it can be read, and what is recorded is told of by
                `verify` as added by nobody.

        Raises:
            StoreError: it is no journal, is damaged, was written by a newer assess, or may not be used.
        """
        return cls(Database.open(path, MIGRATIONS), signer)

    def close(self) -> None:
        """Give the file back: what is being recorded is in it then, and nothing more is taken. Idempotent.

        What its writer still has is written, too, if there is room: `Writer.close` before waits for that.
        """
        with self._opening:
            writer = self._writer
        if writer:
            writer.close()
        if self._signer is not None:
            with suppress(StoreError), self._database.turn() as connection:  # it was closed before, or cannot be read
                self._signer.committed(connection, now=True)
        self._database.close()

    def writer(self) -> Writer:
        """The one who writes on a thread of its own, with a connection of its own, and many records in one commit.

        There is one for a journal, made when it is first asked for; `close` ends it. For whoever has a loop that may
        not wait for a disk; `record` and `keep` do the same at once and by themselves.

        Raises:
            StoreError: the file cannot be opened again.
        """
        with self._opening:
            if self._writer is None:
                database = Database.open(self._database.path, MIGRATIONS)
                database.committed = self._database.committed
                self._writer = Writer(database, keeper=self._keeper, vouch=self._vouch)
            return self._writer

    def schedules(self) -> Schedules:
        """What is kept of schedules; written through the writer, which is not there until something is."""
        return Schedules(self._database, self.writer)

    def ask(self, asked: Sequence[Asked]) -> tuple[Asked, ...]:
        """Whoever serves this journal is asked to carry these out.

        Returns:
            for each what is carried out for it: itself, or one that was asked for before, and has not begun yet.

        Raises:
            StoreError: it could not be written down.
        """
        with self._database.transaction() as connection:
            return ask(connection, asked)

    def skips(self, assessment: str, limit: int) -> tuple[tuple[Skip, datetime], ...]:
        """The newest skips of an assessment, newest first, and when each was decided; for whoever does not serve it."""
        return read_skips(self._database, assessment, limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def problems(self) -> tuple[str, ...]:
        """What SQLite finds wrong with the file when it reads all of it (`quick_check`); mostly nothing.

        Raises:
            StoreError: it cannot be read at all.
        """
        with self._database.turn() as connection:
            return quick_check(connection)

    def serve(self) -> str:
        """A service begins to use it, which `served` ends. Returns why all of it should be read, if there is a reason.

        Raises:
            StoreError: it could not be noted.
        """
        with self._database.transaction() as connection:
            return health.begun(connection, at_us=_now_us())

    def require_sound(self) -> None:
        """Every page of the file can be read, and that is noted. It holds nobody up, and takes long (500 MiB a second).

        Raises:
            JournalDamagedError: it is damaged; the message says what can still be read, and what to do.
            StoreError: it cannot be read, or that could not be noted.
        """
        health.require_sound(self._database.path)
        self.writer().submit(partial(health.checked, at_us=_now_us())).result()

    def served(self) -> None:
        """The service was stopped, and everything it had is written. The last thing before `close`.

        Raises:
            StoreError: it could not be noted; the next service reads all of the file, and finds it sound.
        """
        with self._database.transaction() as connection:
            health.ended(connection)

    def back_up(self, target: Path) -> Backup:
        """As `backup.back_up`: a copy that is whole and was read back, whoever writes meanwhile."""
        return back_up(self._database.path, target)

    def record(
        self,
        run: AssessmentRun,
        results: Sequence[Result],
        evidence: Evidence,
        *,
        holds: Callable[[], bool] = always,
    ) -> int:
        """The run, its results and their evidence are on disk; returns how many of the results were new.

        Args:
            run: of which they are.
            results: what was found.
            evidence: that they refer to.
            holds: whether that is still so; asked when nobody else writes any more, which may be long after the call.

        Raises:
            OvertakenError: it is not.
            EvidenceFullError: there is no room for the evidence.
            AlreadyRecordedError: there is a run of this id, and it found something else.
            StoreError: it could not be done (no room, no right); nothing of it is there then.
            ValueError: a result of another run, or evidence that is missing or is not what its digest says.
        """
        record = make_record(run, results, evidence, holds=holds)
        with self._database.transaction() as connection:
            count = write(connection, record, at_us=_now_us(), keeper=self._keeper, vouch=self._vouch)
        self.adopt()
        return count

    def adopt(self) -> None:
        """What was there before there was any chain is vouched for; a slice at a time, so that nobody waits for long.

        Raises:
            StoreError: it could not be done; the slices before are.
        """
        if self._signer is None:
            return
        with self._database.turn() as connection:
            chain, runs = (connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() for name in ("chain", "runs"))  # noqa: S608
        if not runs or (chain and not self._signer.identity.adopting()):
            return
        more = True
        while more:
            with self._database.transaction() as connection:
                more = self._signer.adopt(connection)
            self._signer.adopted()

    def limit_evidence(self, most_bytes: int | None) -> None:
        """There is no more evidence than this from now on, as it is stored: that of the oldest runs makes room."""
        self._keeper.most_bytes = most_bytes

    def keep(self, evidence: Evidence) -> None:
        """The evidence is on disk, for results that will refer to it; without any it is harmless.

        Raises:
            EvidenceFullError: there is no room for it among what may not go.
            StoreError: it could not be done; nothing of it is there then.
            ValueError: bytes that are not what their digest says.
        """
        kept = pieces.make_pieces(evidence)
        with self._database.transaction() as connection:
            self._keeper.keep(connection, kept, at_us=_now_us())

    def runs(self, limit: int = 50) -> tuple[AssessmentRun, ...]:
        """The newest recorded runs, newest first."""
        return read_runs(self._database, "SELECT document FROM runs ORDER BY position DESC LIMIT ?", limit)

    def listed(
        self,
        *,
        limit: int,
        assessment: str | None = None,
        ended_since: datetime | None = None,
        incomplete: bool = False,
    ) -> tuple[Listed, ...]:
        """As `listing.listed`: the newest runs, with what is known of them without reading their results."""
        return listed(
            self._database, limit=limit, assessment=assessment, ended_since=ended_since, incomplete=incomplete
        )

    def complete_before(self, run: AssessmentRun) -> AssessmentRun | None:
        """As `listing.complete_before`: the run that this one is compared with; None if there is none."""
        return complete_before(self._database, run)

    def is_before(self, older: str, newer: str) -> bool:
        """Whether the run of the first id was recorded before that of the second; both are there."""
        statement = "SELECT (SELECT position FROM runs WHERE run_id = ?) < (SELECT position FROM runs WHERE run_id = ?)"
        return bool(self._database.select(statement, older, newer)[0][0])

    def find(self, prefix: str) -> tuple[AssessmentRun, ...]:
        """The recorded runs whose id begins with this, newest first; at most two, which is one too many to mean one."""
        statement = "SELECT document FROM runs WHERE substr(run_id, 1, length(?1)) = ?1 ORDER BY position DESC LIMIT 2"
        return read_runs(self._database, statement, prefix)

    def latest(self) -> Mapping[str, AssessmentRun]:
        """The newest recorded run of each assessment, by its id."""
        newest = "SELECT max(position) FROM runs GROUP BY assessment"
        statement = f"SELECT document FROM runs WHERE position IN ({newest}) ORDER BY assessment"  # noqa: S608
        return {run.assessment: run for run in read_runs(self._database, statement)}

    def latest_whole(self, assessment: str) -> AssessmentRun | None:
        """The newest recorded run of this assessment that was not narrowed; None if there is none."""
        statement = "SELECT document FROM runs WHERE assessment = ? AND NOT narrowed ORDER BY position DESC LIMIT 1"
        return next(iter(read_runs(self._database, statement, assessment)), None)

    def results(self, run_id: str) -> tuple[Result, ...]:
        """The results of one run, in the order in which they were recorded; none if there is no such run."""
        return read_results(self._database, run_id)

    def seen(self, finding_ids: Iterable[str]) -> Mapping[str, Seen]:
        """When each of these failed, over all runs; of what never did there is nothing."""
        return findings.seen(self._database, finding_ids)

    def figures(self) -> Figures:
        """Numbers of the whole of it, for whoever watches."""
        return figures(self._database)

    def completed_at(self, assessments: Iterable[str]) -> Mapping[str, datetime]:
        """When the newest whole complete run of each ended; those that have none are left out."""
        return completed_at(self._database, assessments, now=utc_now())

    def evidence(self, digest: str) -> tuple[str, bytes] | None:
        """Media type and bytes of the evidence with this sha256; None if there is none.

        Raises:
            StoreError: the bytes are no longer those of the digest.
        """
        return pieces.read(self._database, digest)

    def retain(self, *, keep_days: int, now: datetime) -> Removed:
        """What ended more than so many days ago is not there any more, but for what is needed, and the chain says so.

        A slice at a time, so that nobody who records waits for more than one. May be called from any thread; what a
        kill interrupts goes on the next time. Evidence that no run ever came to refer to goes as well.

        Raises:
            StoreError: it could not be done; the slices before have gone.
        """
        signer, age = self._signing(), _age(keep_days, now)
        with self._database.turn() as connection:
            keep = retention.needed(connection)
        total = self._slices(lambda connection: retention.remove_slice(connection, signer, age, needed=keep))
        total += self._slices(lambda connection: retention.remove_orphans(connection, age))
        with self._database.transaction() as connection:
            retention.forget(connection, age)
        with self._database.turn() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # while others read, it is what it was
        with self._database.turn() as connection:
            signer.committed(connection, now=True)
        signer.identity.tell_heads()
        return total

    def compact(self) -> Compacted:
        """As `compacting.compact`: the file gives back what was removed. For when nobody else writes."""
        return compact(self._database)

    def heads(self) -> Mapping[str, Head]:
        """Where each chain stands, by its runtime, as its identity knows."""
        return self._signing().identity.heads()

    def would_remove(self, *, keep_days: int, now: datetime) -> Removed:
        """Which runs `retain` would remove; nothing is changed."""
        ours = self._signing().identity.public_keys()
        with self._database.turn() as connection:
            return retention.would_remove(connection, _age(keep_days, now), ours=ours)

    def looked_at(self, *, or_ended: bool = False) -> datetime | None:
        """As of when `retain` was last called (`retention.looked_at`).

        Raises:
            StoreError: it cannot be read.
        """
        with self._database.turn() as connection:
            return retention.looked_at(connection, or_ended=or_ended)

    def verify(
        self,
        *,
        noted: Mapping[str, Head] | None = None,
        trusted: Collection[PublicKey] = (),
        backup: Path | None = None,
    ) -> Report:
        """Whether all is as this runtime wrote it (`verifying.verify`).

        Args:
            noted: where a chain stood at some time, by a word from elsewhere.
            trusted: the keys that are the runtime's; those of its identity, unless there are any.
            backup: a copy that is read in place of the journal. It may end where the chain stood then.

        Raises:
            StoreError: the file cannot be read.
        """
        identity = self._signing().identity
        known = identity.heads()  # before the file: whatever is recorded meanwhile, it is not behind this
        keys = trusted or identity.known_keys()
        path, heads = (self._database.path, known) if backup is None else (backup, {})
        report = verify(path, heads=heads, trusted=keys, noted=noted)
        lost = () if trusted else identity.lost_keys()
        return replace(report, notes=(*report.notes, *lost))

    def accept(self, *, reason: str, by: str) -> None:
        """Somebody has looked into all that has to be told of the chain up to now; the chain says who, and why.

        Raises:
            StoreError: it could not be written.
        """
        with self._database.transaction() as connection:
            self._signing().say(connection, "accept", {"reason": reason, "by": by})

    def _slices(self, remove: Callable[[Connection], Removed]) -> Removed:
        total = Removed()
        while True:
            with self._database.transaction() as connection:
                total += (step := remove(connection))
            if not step.more:
                return total

    def _signing(self) -> Signer:
        if self._signer is None:
            raise ValueError("this journal was opened without anybody who signs")
        return self._signer

    def _removed(self, connection: Connection, digests: Sequence[str]) -> None:
        if self._signer is not None:
            self._signer.say(connection, "evidence-gone", {"digests": list(digests), "why": "quota"})

    def _vouch(self, connection: Connection, run: AssessmentRun, results: Sequence[Result]) -> None:
        if self._signer is not None:
            # What the results say: the runtime may have been renamed since it was begun.
            self._signer.run(connection, run.run_id, runtime=results[0].runtime if results else "")

    @property
    def _connection(self) -> Connection:
        return self._database.connection


def _age(keep_days: int, now: datetime) -> Age:
    return Age(now=now, before=now - timedelta(days=keep_days), keep_days=keep_days)


def _now_us() -> int:
    return time.time_ns() // 1000

"""What has become old goes, a slice at a time, and the chain says so.

Whatever is removed is removed from the front of the chain: the entry that says so names the last entry that went and
its head, so that the first one that stays can still be held against it. What must stay although its entry goes, the
newest run of an assessment and its newest complete one that was whole, is vouched for anew at the end.

    front                                                                            end
    [run a: old] [run b: old, newest of its assessment] [run c: old] [run d: young]
                                                                     [run d: young] [run b: kept] [retention: 3]

So a run stays for at least as long as it should, and one that was vouched for anew for as long again at most. Before an
entry goes, what it vouches for is held against it: that it was changed or is missing is told by the entry of retention.
An entry of a key that is not the runtime's, behind one that is, vouches for nothing: it is told of in the same way.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from assess_core.clock import timestamp
from assess_core.journal import evidence as pieces
from assess_core.journal.chain import Entry, Said, head_of, read, signed
from assess_core.journal.database import Connection
from assess_core.journal.documents import microseconds, moment
from assess_core.journal.identity import Head
from assess_core.journal.signing import Signer, facts_of
from assess_registry.client import PublicKey

SLICE_RUNS = 200
"""Runs that go in one transaction, if they have few results."""

SLICE_RESULTS = 1000
"""Results after which a slice is full: others wait for the end of it (about 35 ms of a processor)."""

AS_A_RESULT = 32 << 10
"""So many bytes of evidence take as long to remove as a result, give or take."""

SLICE_EVIDENCE = 200
"""Pieces of evidence of no run that go in one transaction."""

FORWARD = timedelta(days=7)
"""What a clock may have gone on by without anybody being there; if it went by more, it may have been set wrong."""

_DAY_US = 86_400_000_000
_MAX_NAMED = 100

_LOOKED = (
    "INSERT INTO meta (key, value) VALUES ('looked_us', ?) "
    "ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)"
)
_NEWEST = (
    "SELECT max(position) FROM runs GROUP BY assessment "
    "UNION SELECT max(position) FROM runs WHERE complete AND NOT narrowed GROUP BY assessment"
)
_UNUSED = (
    "SELECT DISTINCT sha256 FROM evidence_uses AS mine WHERE run_id = ? AND NOT EXISTS "
    "(SELECT 1 FROM evidence_uses AS other WHERE other.sha256 = mine.sha256 AND other.run_id <> mine.run_id) "
    # handed over again by a run that goes on still; if nobody comes to refer to it, it goes as an orphan
    "AND NOT EXISTS (SELECT 1 FROM evidence_kept WHERE evidence_kept.sha256 = mine.sha256 AND kept_us >= ?)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """What went.

    Attributes:
        runs, results: how many.
        evidence_bytes: that were freed.
        more: whether there is more to remove.
    """

    runs: int = 0
    results: int = 0
    evidence_bytes: int = 0
    more: bool = False

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(
            runs=self.runs + other.runs,
            results=self.results + other.results,
            evidence_bytes=self.evidence_bytes + other.evidence_bytes,
            more=other.more,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Age:
    """How old is old.

    Attributes:
        now: by the wall clock.
        before: what ended earlier goes.
        keep_days: how that was arrived at, for the entry that says it.
    """

    now: datetime
    before: datetime
    keep_days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Front:
    """The front of a chain that goes.

    Attributes:
        old: the runs that go with it.
        kept: those that stay.
        through: its last entry.
        changed: what of it is not as it was signed.
    """

    old: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    through: Entry | None = None
    changed: tuple[str, ...] = ()


def needed(connection: Connection) -> frozenset[str]:
    """The runs that stay however old they are: of each assessment the newest, and the newest complete and whole one."""
    rows = connection.execute(f"SELECT run_id FROM runs WHERE position IN ({_NEWEST})")  # noqa: S608  a constant
    return frozenset(row[0] for row in rows)


def remove_slice(connection: Connection, signer: Signer, age: Age, *, needed: Collection[str]) -> Removed:
    """In this transaction some of what is old has gone, of the first chain that has any.

    Args:
        connection: inside a transaction.
        signer: who says so in the chain.
        age: how old is old.
        needed: runs that stay, by a look that may be a while old: whoever was the newest then is older now at most.
    """
    for runtime in _chains(connection):
        front = _front(connection, runtime, age, needed, ours=signer.identity.public_keys())
        if front.through is not None and front.old:
            return _cut_off(connection, signer, runtime, front, age)
    return Removed()


def would_remove(connection: Connection, age: Age, *, ours: Collection[PublicKey]) -> Removed:
    """What would go in all slices together; nothing is changed.

    Args:
        connection: to the file.
        age: how old is old.
        ours: the runtime's keys.
    """
    keep = needed(connection)
    fronts = [_front(connection, runtime, age, keep, ours=ours, slice_runs=None) for runtime in _chains(connection)]
    old = [run_id for front in fronts for run_id in front.old]
    return Removed(runs=len(old), results=sum(_results(connection, run_id) for run_id in old))


def remove_orphans(connection: Connection, age: Age) -> Removed:
    """In this transaction some evidence has gone that no run refers to, nor will any more."""
    at_us = microseconds(age.now)
    found = pieces.orphans(connection, at_us=at_us, limit=SLICE_EVIDENCE)
    freed = pieces.remove(connection, [digest for digest, _ in found], why="orphan", at_us=at_us)
    return Removed(evidence_bytes=freed, more=len(found) == SLICE_EVIDENCE)


def forget(connection: Connection, age: Age) -> None:
    """In this transaction what was noted of times that are over has gone: skipped due times, findings of no run.

    And it is noted as of when that was.
    """
    before_us = microseconds(age.before)
    connection.execute(_LOOKED, (microseconds(age.now),))
    connection.execute("DELETE FROM skips WHERE at_us < ?", (before_us,))
    connection.execute(
        "DELETE FROM evidence_gone WHERE at_us < ? AND sha256 NOT IN (SELECT sha256 FROM evidence_uses)", (before_us,)
    )
    connection.execute(
        "DELETE FROM findings WHERE judged_us < ? AND run_id NOT IN (SELECT run_id FROM runs)", (before_us,)
    )


def looked_at(connection: Connection, *, or_ended: bool = False) -> datetime | None:
    """As of when somebody last removed what was old; None if nobody ever did, and there is no run.

    Args:
        connection: to the file.
        or_ended: or when the newest run ended, if that is later.
    """
    ((looked_us,),) = connection.execute("SELECT max(value) FROM meta WHERE key = 'looked_us'").fetchall()
    if looked_us is None or or_ended:
        ((ended_us,),) = connection.execute("SELECT max(ended_us) FROM runs").fetchall()
        looked_us = max((each for each in (looked_us, ended_us) if each is not None), default=None)
    return None if looked_us is None else moment(int(looked_us))


def _front(
    connection: Connection,
    runtime: str,
    age: Age,
    needed: Collection[str],
    *,
    ours: Collection[PublicKey],
    slice_runs: int | None = SLICE_RUNS,
) -> _Front:
    """As much of the front of a chain as goes in one slice."""
    before_us, glitch_us = microseconds(age.before), microseconds(age.now) + _DAY_US
    old: list[str] = []
    kept: list[str] = []
    changed: list[str] = []
    through: Entry | None = None
    until, results, last, is_ours = (0, 0), 0, None, False
    for entry in _entries(connection, runtime):
        said = _said(entry)
        strange = said is not None and is_ours and said.key not in ours
        is_ours = is_ours or (said is not None and said.key in ours)
        if said is None or strange or not _holds(entry, said, last):
            changed.append(f"entry {entry.seq}")
        elif is_ours and _tells(said) and not _is_accepted(connection, runtime, said.seq, ours):
            changed.append(f"entry {entry.seq}, which told of something that nobody has accepted")
        last = entry.end
        if said is None or strange or said.kind != "run":
            continue
        run_id = str(said.facts.get("run_id"))
        row = connection.execute("SELECT ended_us FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        # Of what ended in the future the clock was wrong, and nobody waits for that.
        stays = row is not None and (run_id in needed or row[0] > glitch_us)
        if row is not None and row[0] >= before_us and not stays:
            break
        if row is None or _differs(connection, run_id, said):
            changed.append(f"run {run_id}")
        if stays:
            kept.append(run_id)
        elif row is not None:
            old.append(run_id)
            results += _results(connection, run_id) + _evidence_bytes(connection, run_id) // AS_A_RESULT
            through, until = entry, (len(kept), len(changed))
            if slice_runs is not None and (len(old) >= slice_runs or results >= SLICE_RESULTS):
                break
    kept, changed = kept[: until[0]], changed[: until[1]]  # what comes behind is not reached
    return _Front(old=tuple(old), kept=tuple(kept), through=through, changed=tuple(changed[:_MAX_NAMED]))


def _cut_off(connection: Connection, signer: Signer, runtime: str, front: _Front, age: Age) -> Removed:
    assert front.through is not None  # noqa: S101  of a front that goes
    results = sum(_results(connection, run_id) for run_id in front.old)
    freed = sum(_remove_run(connection, run_id, age) for run_id in front.old)
    for run_id in front.kept:
        signer.run(connection, run_id, runtime=runtime, why="kept")
    if gone := _gone(connection, front.kept):
        signer.say(connection, "evidence-gone", {"why": "kept", "digests": gone}, runtime=runtime)
    facts = {
        "through_seq": front.through.seq,
        "through_head": front.through.head.hex(),
        "before": timestamp(age.before, timespec="microseconds"),
        "keep_days": age.keep_days,
        "runs": len(front.old),
        "results": results,
        "changed": list(front.changed),
    }
    signer.say(connection, "retention", facts, runtime=runtime)
    connection.execute("DELETE FROM chain WHERE runtime = ? AND seq <= ?", (runtime, front.through.seq))
    return Removed(runs=len(front.old), results=results, evidence_bytes=freed, more=True)


def _remove_run(connection: Connection, run_id: str, age: Age) -> int:
    """The run has gone, its results, and the evidence that nobody else refers to; returns bytes of evidence."""
    recent_us = microseconds(age.now) - pieces.ORPHANED_AFTER_US
    unused = [row[0] for row in connection.execute(_UNUSED, (run_id, recent_us))]
    connection.execute("DELETE FROM evidence_uses WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM results WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
    connection.executemany("DELETE FROM evidence_gone WHERE sha256 = ?", [(digest,) for digest in unused])
    return pieces.remove(connection, unused, why="retention", at_us=microseconds(age.now))


def _gone(connection: Connection, run_ids: Sequence[str]) -> list[str]:
    """Evidence that these refer to and that was removed before: who says so goes, too, so that it is said again."""
    statement = (
        "SELECT sha256 FROM evidence_uses WHERE run_id = ? AND NOT EXISTS "
        "(SELECT 1 FROM evidence WHERE evidence.sha256 = evidence_uses.sha256)"
    )
    return sorted({row[0] for run_id in run_ids for row in connection.execute(statement, (run_id,))})


def _chains(connection: Connection) -> list[str]:
    names: list[str] = []
    while (found := _next_chain(connection, names[-1] if names else None)) is not None:
        names.append(found)
    return names


def _next_chain(connection: Connection, after: str | None) -> str | None:
    """The next name, by the index: to ask for distinct ones reads all documents."""
    where, values = ("WHERE runtime > ?", (after,)) if after is not None else ("", ())
    row = connection.execute(f"SELECT runtime FROM chain {where} ORDER BY runtime LIMIT 1", values).fetchone()  # noqa: S608
    return str(row[0]) if row else None


def _entries(connection: Connection, runtime: str) -> Iterator[Entry]:
    rows = connection.execute(
        "SELECT seq, document, head, signature FROM chain WHERE runtime = ? ORDER BY seq", (runtime,)
    )
    for seq, document, head, signature in rows:
        yield Entry(runtime=runtime, seq=seq, document=document, head=head, signature=signature)


def _said(entry: Entry) -> Said | None:
    try:
        return read(entry)
    except ValueError:
        return None


def _holds(entry: Entry, said: Said, last: Head | None) -> bool:
    """Whether the entry is as it was signed, as far as what is before it is there to be asked."""
    computed = entry.head if last is None else head_of(last.digest, entry.seq, entry.document)
    return computed == entry.head and signed(entry.head, entry.signature, said.key)


def _tells(said: Said) -> bool:
    """Whether the entry tells of something that stays until somebody accepts it."""
    return bool((said.kind == "begin" and said.facts.get("why") != ["first"]) or said.facts.get("changed"))


def _is_accepted(connection: Connection, runtime: str, seq: int, ours: Collection[PublicKey]) -> bool:
    statement = (
        "SELECT seq, document, head, signature FROM chain WHERE runtime = ? AND seq > ? "
        "AND instr(document, CAST('\"accept\"' AS BLOB))"
    )
    for number, document, head, signature in connection.execute(statement, (runtime, seq)):
        entry = Entry(runtime=runtime, seq=number, document=document, head=head, signature=signature)
        said = _said(entry)
        if said is not None and said.kind == "accept" and said.key in ours and _holds(entry, said, None):
            return True
    return False


def _differs(connection: Connection, run_id: str, said: Said) -> bool:
    return any(said.facts.get(name) != value for name, value in facts_of(connection, run_id).items())


def _evidence_bytes(connection: Connection, run_id: str) -> int:
    statement = "SELECT coalesce(sum(stored), 0) FROM evidence_uses JOIN evidence_kept USING (sha256) WHERE run_id = ?"
    return int(connection.execute(statement, (run_id,)).fetchone()[0])


def _results(connection: Connection, run_id: str) -> int:
    return int(connection.execute("SELECT count(*) FROM results WHERE run_id = ?", (run_id,)).fetchone()[0])

"""Whether the journal is what this runtime wrote: every run, every result, every link, every piece of evidence.

Three words are compared: what the chain says (`walking`), what lies in the tables, and what is known outside of the
file, which is the runtime's keys, where it left its chain, and a head that somebody noted elsewhere. Everything is read
as it was at one moment, so that a runtime may go on recording meanwhile.

    report = verify(path, identity)
    report.troubles             # what is not as it was signed; nothing when all is

Who may write to the state directory has the key, too, and can sign anything: that a chain is in itself sound says that
nothing changed since it was written, not who wrote it. What says more is a head that was noted on another machine.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from assess_core.journal import evidence as pieces
from assess_core.journal.chain import Entry
from assess_core.journal.database import Connection, snapshot, strange_tables
from assess_core.journal.documents import to_bytes
from assess_core.journal.identity import Head
from assess_core.journal.migrations import MIGRATIONS
from assess_core.journal.signing import facts_of
from assess_core.journal.walking import Trouble, Vouched, Walk, Word, walk
from assess_registry.client import PublicKey

_CHAIN = "SELECT runtime, seq, document, head, signature FROM chain ORDER BY runtime, seq"

_NAMING = (
    "SELECT document FROM results WHERE run_id IN (SELECT run_id FROM evidence_uses) "
    "AND instr(document, CAST('\"sha256\":' AS BLOB))"
)

_ABSENT = "evidence_uses WHERE sha256 NOT IN (SELECT sha256 FROM evidence)"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainStanding:
    """One chain, and where it stands.

    Attributes:
        first: the number of the first entry that is there.
        head: of the last.
        begun_at: when the first entry that is there was made.
        removed_runs: how many retention took away, by the entries that are there.
        removed_at: when it last did.
        adopted: how many runs were in the journal before the chain began.
        moved_at: when the state was last found on another machine than before.
    """

    runtime: str
    first: int
    head: Head
    begun_at: datetime | None
    removed_runs: int
    removed_at: datetime | None
    adopted: int
    moved_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What there is to say of a whole journal.

    Attributes:
        runs: how many there are, and `results` with them; `evidence`, how many pieces.
        gone: how many pieces of evidence that results refer to were removed, as the chain says.
        troubles: what is not as it was signed, those that somebody accepted included.
        notes: what nobody is to blame for, and one should know.
    """

    chains: tuple[ChainStanding, ...]
    runs: int
    results: int
    evidence: int
    gone: int
    troubles: tuple[Trouble, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether all is as it was signed, or was accepted."""
        return all(trouble.accepted for trouble in self.troubles)


def verify(
    path: Path,
    *,
    heads: Mapping[str, Head],
    trusted: Collection[PublicKey],
    noted: Mapping[str, Head] | None = None,
) -> Report:
    """All of the journal at this path has been read, and held against its chains.

    Args:
        path: of the file; nothing is written to it.
        heads: where the runtime left its chains, read before this is called: what is recorded meanwhile is ahead of it.
        trusted: the keys that are known to be the runtime's.
        noted: where a chain stood at some time, by a word from elsewhere.

    Raises:
        StoreError: the file cannot be read.
    """
    noted = noted or {}
    with snapshot(path) as connection:
        walks = _walks(connection, (heads, noted), trusted)
        troubles = [trouble for walked in walks for trouble in walked.troubles]
        for walked in walks:
            troubles += _against(walked, heads.get(walked.runtime), "left by this runtime: identity/head.json")
            troubles += _against(walked, noted.get(walked.runtime), "noted elsewhere", must=True)
        troubles += _runs(connection, walks)
        gone = frozenset[str]().union(*(walked.gone for walked in walks))
        troubles += _evidence(connection, gone)
        troubles += _tables(connection)
        troubles += _damage(connection)
        notes = tuple(_note(walked) for walked in walks if walked.head.seq and walked.runtime not in heads)
        return Report(
            chains=tuple(_standing(walked) for walked in walks if walked.first),
            runs=_count(connection, "SELECT count(*) FROM runs"),
            results=_count(connection, "SELECT count(*) FROM results"),
            evidence=_count(connection, "SELECT count(*) FROM evidence"),
            gone=_count(connection, f"SELECT count(DISTINCT sha256) FROM {_ABSENT}"),  # noqa: S608
            troubles=tuple(troubles),
            notes=notes,
        )


def _walks(connection: Connection, known: Sequence[Mapping[str, Head]], trusted: Collection[PublicKey]) -> list[Walk]:
    """Each chain that is there, or should be."""

    def walked(name: str, entries: Iterable[Entry]) -> Walk:
        wanted = {heads[name].seq for heads in known if name in heads}
        return walk(name, entries, trusted=trusted, wanted=wanted)

    rows = (Entry(runtime=row[0], seq=row[1], document=row[2], head=row[3], signature=row[4])
            for row in connection.execute(_CHAIN))  # fmt: skip
    there = {name: walked(name, entries) for name, entries in groupby(rows, key=lambda entry: entry.runtime)}
    absent = {name: walked(name, ()) for heads in known for name in heads if name not in there}
    return [*there.values(), *absent.values()]


def _against(walked: Walk, known: Head | None, where: str, *, must: bool = False) -> Iterator[Trouble]:
    """What a head that is known by another way says against the chain."""
    if known is None or not known.seq:
        return
    here = walked.heads.get(known.seq)
    if known.seq > walked.head.seq:
        message = f"the chain ends with entry {walked.head.seq}, and had {known.seq} ({where}); was a backup put back?"
        yield Trouble(word=Word.CUT, runtime=walked.runtime, where="its end", message=message)
    elif here is None and must:
        message = f"it is not there any more, so that it cannot be compared with what was {where}"
        yield Trouble(word=Word.MISSING, runtime=walked.runtime, where=f"entry {known.seq}", message=message)
    elif here is not None and here != known.digest:
        message = f"its head is another one than what was {where}: this is another chain"
        yield Trouble(word=Word.REPLACED, runtime=walked.runtime, where=f"entry {known.seq}", message=message)


def _runs(connection: Connection, walks: Collection[Walk]) -> Iterator[Trouble]:
    """Runs and results that are not what the chains vouch for."""
    if not any(walked.first or walked.troubles for walked in walks):
        if count := _count(connection, "SELECT count(*) FROM runs"):
            message = "no chain was begun that could vouch for them; the next run that is recorded begins one"
            yield Trouble(word=Word.ADDED, runtime="", where=f"{count} runs", message=message)
        return
    vouched = {run_id: (walked.runtime, each) for walked in walks for run_id, each in walked.runs.items()}
    doubtful = frozenset[str]().union(*(walked.doubtful for walked in walks))
    for (run_id,) in connection.execute("SELECT run_id FROM runs ORDER BY position"):
        if run_id in vouched:
            yield from _run(connection, run_id, *vouched.pop(run_id))
        elif run_id not in doubtful:  # of those it was said already that their entry is wrong
            yield _of_run(Word.ADDED, "", run_id, "no entry of a chain vouches for it")
    for run_id, (runtime, each) in vouched.items():
        message = f"entry {each.seq} of {each.at:%Y-%m-%d %H:%M} vouches for it, and it is not there"
        yield _of_run(Word.MISSING, runtime, run_id, message)
    for run_id, count in connection.execute(
        "SELECT run_id, count(*) FROM results WHERE run_id NOT IN (SELECT run_id FROM runs) GROUP BY run_id"
    ):
        yield _of_run(Word.ADDED, "", run_id, f"there are {count} results of it, and it is not there")
    unused = "SELECT run_id, count(*) FROM evidence_uses WHERE run_id NOT IN (SELECT run_id FROM runs) GROUP BY run_id"
    for run_id, count in connection.execute(unused):
        yield _of_run(Word.ADDED, "", run_id, f"it is said to refer to {count} pieces of evidence, and is not there")


def _run(connection: Connection, run_id: str, runtime: str, vouched: Vouched) -> Iterator[Trouble]:
    found, said = facts_of(connection, run_id), vouched.facts
    about = f"entry {vouched.seq} of {vouched.at:%Y-%m-%d %H:%M}"
    if found["results"] != said.get("results"):
        message = f"{said.get('results')} results were signed ({about}), and {found['results']} are there"
    elif found["digest"] != said.get("digest"):
        message = f"what it or its results say is not what was signed ({about})"
    elif any(found[name] != said.get(name) for name in ("assessment", "rows")):
        message = f"what it says is what was signed ({about}), but not what lists go by: ids, times, counts or order"
    else:
        return
    yield _of_run(Word.CHANGED, runtime, run_id, message)


def _evidence(connection: Connection, gone: Collection[str]) -> Iterator[Trouble]:
    """Pieces that are not what their digest says, or are gone though nothing says so."""
    rows = "SELECT sha256, media_type, data, encoding, size FROM evidence LEFT JOIN evidence_kept USING (sha256)"
    named = _media_types(connection)
    for digest, media_type, *stored in connection.execute(rows):
        if digest in named and media_type not in named[digest]:
            message = "it is said to be of another media type than the results say that refer to it"
            yield Trouble(word=Word.CHANGED, runtime="", where=f"evidence {digest}", message=message)
        plain = pieces.decoded(*stored)
        if plain is None or hashlib.sha256(plain).hexdigest() != digest:
            message = "its bytes are not those that were kept under this sha256"
            yield Trouble(word=Word.CHANGED, runtime="", where=f"evidence {digest}", message=message)
    for digest, run_id in connection.execute(f"SELECT sha256, min(run_id) FROM {_ABSENT} GROUP BY sha256"):  # noqa: S608
        if digest not in gone:
            message = f"run {run_id} refers to it, it is not there, and no entry of the chain says that it was removed"
            yield Trouble(word=Word.MISSING, runtime="", where=f"evidence {digest}", message=message, run_id=run_id)


def _media_types(connection: Connection) -> Mapping[str, Collection[bytes]]:
    """What each piece of evidence is, by all results that refer to it; theirs is what the chain vouches for."""
    named: dict[str, set[bytes]] = defaultdict(set)
    for (document,) in connection.execute(_NAMING):
        with suppress(ValueError, KeyError, TypeError, AttributeError):  # of a result that was changed, which is told
            for item in json.loads(document)["evidence"]:
                named[item["sha256"]].add(to_bytes(item["media_type"]))
    return named


def _tables(connection: Connection) -> Iterator[Trouble]:
    """What SQLite would do by itself with what is recorded, or with what is read."""
    for text in strange_tables(connection, MIGRATIONS):
        yield Trouble(word=Word.CHANGED, runtime="", where="its tables", message=text)


def _damage(connection: Connection) -> Iterator[Trouble]:
    """Indexes that do not agree with their tables, and pages that are none."""
    for (text,) in connection.execute("PRAGMA integrity_check(20)"):
        if text != "ok":
            yield Trouble(word=Word.DAMAGED, runtime="", where="the file", message=str(text))


def _of_run(word: Word, runtime: str, run_id: str, message: str) -> Trouble:
    return Trouble(word=word, runtime=runtime, where=f"run {run_id}", message=message, run_id=run_id)


def _note(walked: Walk) -> str:
    return (
        f"where the chain of {walked.runtime} was left is not known here (identity/head.json), so that nobody can tell "
        f"whether entries had followed entry {walked.head.seq}"
    )


def _standing(walked: Walk) -> ChainStanding:
    return ChainStanding(
        runtime=walked.runtime,
        first=walked.first,
        head=walked.head,
        begun_at=walked.begun_at,
        removed_runs=walked.removed_runs,
        removed_at=walked.removed_at,
        adopted=walked.adopted,
        moved_at=walked.moved_at,
    )


def _count(connection: Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])

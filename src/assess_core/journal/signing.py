"""Who adds to the chain: inside the transaction of what is vouched for, so that there is both or neither.

The journal's own write lock is the lock on the chain: `run` beside `up` makes one chain of both. Where the chain stands
is read anew each time, because another process may have added to it and a savepoint may have taken back what we did.

Before anything is added it is looked whether this is the chain that was left: `head.json` lies outside of the journal
and is written after commits. It may be behind, after a crash; ahead of the journal it never is, unless a backup was put
back or the end was cut off. Then the chain begins anew with an entry that says so, for ever. What the chain has behind
that head must be this runtime's own work, from before a crash or of another process: each signed by one of its keys.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from assess_core.clock import utc_now
from assess_core.errors import disk_error
from assess_core.journal.chain import RUN_COLUMNS, Entry, Kind, make_entry, read, run_facts, signed
from assess_core.journal.database import Connection
from assess_core.journal.identity import NOWHERE, Head, Identity
from assess_core.journal.walking import BREAKS
from assess_registry.client import PrivateKey, PublicKey, parse_base64_key, plain

_log = logging.getLogger(__name__)

HEAD_EACH_S = 1.0
"""How far `head.json` may be behind the chain while something is recorded all the time."""

ADOPTED_AT_ONCE = 200
"""Runs of before any chain that are vouched for in one transaction: others wait for that."""

_LAST = "SELECT runtime, seq, document, head, signature FROM chain WHERE runtime = ? ORDER BY seq DESC LIMIT 1"
_BEHIND = "SELECT seq, document, head, signature FROM chain WHERE runtime = ? AND seq > ? ORDER BY seq"
_INSERT = "INSERT INTO chain (runtime, seq, document, head, signature) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class _Pen:
    """What adds an entry: in which transaction, to whose chain, signed by which key."""

    connection: Connection
    runtime: str
    key: PrivateKey


class Signer:
    """Signs for one runtime. Threads may share it: each is inside a transaction, and those exclude each other.

    Args:
        identity: the runtime's keys, and where its chains stood.
        runtime: its name now; a configuration may change it.
        clock: the time that entries say.
    """

    def __init__(
        self, identity: Identity, runtime: Callable[[], str], *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.identity = identity
        self._runtime = runtime
        self._clock = clock
        self._behind: set[str] = set()
        self._unvouched: list[str] | None = None
        self._seen: dict[str, Head] = {}  # up to where each chain is known to be our own
        self._next_s = 0.0
        self._settled = False
        self._moving: PublicKey | None = None

    @property
    def runtime(self) -> str:
        """Whose chain is added to, unless something else is said."""
        return self._runtime()

    def run(self, connection: Connection, run_id: str, *, runtime: str = "", why: str = "recorded") -> None:
        """This run, as it is in the journal now, is vouched for.

        Args:
            connection: inside the transaction that wrote it.
            run_id: of the run.
            runtime: whose it is, if not this one's.
            why: `recorded`; `before`: it was there before the chain was; `kept`: retention passed it by.

        Raises:
            StoreError: the key cannot be used or made.
        """
        runtime = runtime or self.runtime
        end, pen = self._standing(connection, runtime, new=run_id)
        self._add(pen, end, "run", facts_of(connection, run_id) | {"why": why})

    def say(self, connection: Connection, kind: Kind, facts: Mapping[str, Any], *, runtime: str = "") -> int:
        """The chain has an entry of this kind; returns its number. As for `run`."""
        runtime = runtime or self.runtime
        end, pen = self._standing(connection, runtime)
        return self._add(pen, end, kind, facts).seq

    def adopt(self, connection: Connection) -> bool:
        """Some more of what was there before any chain is vouched for; returns whether there may be more.

        Which is left is what lies in the journal and no entry names; how far to go is known outside of it, so that who
        can write there alone cannot have vouched for what he adds later.

        Raises:
            StoreError: as for `run`.
        """
        goes_on = self.identity.adopting()
        if not goes_on:
            if last_entry(connection, self.runtime) is not None:
                return False
            self._standing(connection, self.runtime)
            return True
        runtime, through = next(iter(goes_on.items()))  # it may have been renamed meanwhile
        if self._unvouched is None:
            self._unvouched = _unvouched(connection, runtime, through)
        some = self._unvouched[:ADOPTED_AT_ONCE]
        for run_id in some:
            if connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone():
                self.run(connection, run_id, runtime=runtime, why="before")
        return bool(some)

    def adopted(self) -> None:
        """What the last `adopt` did is on the disk."""
        if self._unvouched is not None:
            self._unvouched = self._unvouched[ADOPTED_AT_ONCE:] or None
            if self._unvouched is None:
                for runtime in list(self.identity.adopting())[:1]:
                    with suppress(OSError):  # then it is looked for again
                        self.identity.adopt(runtime, None)

    def committed(self, connection: Connection, *, now: bool = False) -> None:
        """Remember where the chains stand that were added to. For after the commit, outside of a transaction.

        What is read is what is on the disk, of this process or another. A head that cannot be written is behind; so is
        one for a moment, because to write it takes as long as to commit does.

        Args:
            connection: to the file.
            now: at once, and not only when the last time was a while ago.
        """
        if not now and time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + HEAD_EACH_S
        behind, self._behind = self._behind, set()
        for runtime in sorted(behind):
            last = last_entry(connection, runtime)
            if last is None:  # what was added has been taken back
                continue
            if self._has_foreign(connection, last, self.identity.heads().get(runtime)):
                continue  # not where we left it: who adds next says so
            try:
                self.identity.remember(runtime, last.end)
                self._settle(last)
            except OSError as error:
                _log.warning("where the chain stands: %s", error, extra={"action": "chain-head-unwritten"})

    def _settle(self, last: Entry) -> None:
        """This is the machine we are on, once the chain says so if it was another."""
        if not self._settled and (self._moving is None or read(last).key == self._moving):
            self.identity.settle()
            self._settled, self._moving = True, None

    def _standing(self, connection: Connection, runtime: str, *, new: str = "") -> tuple[Head, _Pen]:
        """Where the chain stands, which is the one that was left or has begun anew, and what goes on with it."""
        last, known = last_entry(connection, runtime), self.identity.heads().get(runtime)
        if last is None:
            return self._begun(_Pen(connection, runtime, self._first_key()), known, new)
        reason = _break(connection, last, known) or ("replaced" if self._has_foreign(connection, last, known) else "")
        reasons = [reason] if reason else []
        key = None
        try:
            key = self.identity.key(_next_key(last))
        except ValueError:
            reasons.append("damaged")
        if key is None:
            reasons.append("key")
            key = self.identity.any_key()
        pen = _Pen(connection, runtime, key)
        return self._at_home(pen, self._anew(pen, last.end, reasons, known) if reasons else last.end)

    def _has_foreign(self, connection: Connection, last: Entry, known: Head | None) -> bool:
        """Whether an entry behind the head that we left is not signed by a key of ours.

        Each entry is looked at once: what this process added or saw is not asked again, unless it was taken back.
        """
        if self._seen.get(last.runtime) == last.end:
            return False
        since = known.seq if known else last.seq
        seen = self._seen.get(last.runtime)
        if seen is not None and seen.seq > since and _stands(connection, last.runtime, seen):
            since = seen.seq
        rows = connection.execute(_BEHIND, (last.runtime, since)).fetchall()
        ours = frozenset(self.identity.known_keys()) if rows else frozenset()
        if not all(_is_ours(_entry((last.runtime, *row)), ours) for row in rows):
            return True
        self._seen[last.runtime] = last.end
        return False

    def _first_key(self) -> PrivateKey:
        """To begin a chain with. A copy of a state on another machine has a key of its own."""
        if self._settled or not self.identity.moved():
            return self.identity.any_key()
        key = self.identity.new_key()
        self._moving = key.public
        return key

    def _begun(self, pen: _Pen, known: Head | None, new: str) -> tuple[Head, _Pen]:
        """The first entry of a chain; what was there before there was any chain is vouched for from now on."""
        alone = not pen.connection.execute("SELECT 1 FROM chain LIMIT 1").fetchone()
        rows = pen.connection.execute(
            "SELECT run_id, position FROM runs WHERE run_id <> ? ORDER BY position", (new,)
        ).fetchall()
        before = [row[0] for row in rows] if alone else []
        if known is not None and known.seq:
            end = self._anew(pen, NOWHERE, ["cut"], known)
        else:
            self._prepare(pen.runtime)
            end = self._add(pen, NOWHERE, "begin", {"why": ["first"], "before": len(before)}).end
        if len(before) > ADOPTED_AT_ONCE:
            self._adopt_later(pen.runtime, rows[-1][1])
        for run_id in before[:ADOPTED_AT_ONCE]:
            end = self._add(pen, end, "run", facts_of(pen.connection, run_id) | {"why": "before"}).end
        return end, pen

    def _adopt_later(self, runtime: str, through: int) -> None:
        """The rest is vouched for a slice at a time; noted before the chain begins, or a crash would forget it."""
        self._unvouched = None
        try:
            self.identity.adopt(runtime, through)
        except OSError as error:
            raise disk_error(f"the runtime's identity cannot be written: {error}", error) from error

    def _prepare(self, runtime: str) -> None:
        """A head is on disk before the first commit: a chain without one is a chain whose head was taken away."""
        try:
            self.identity.remember(runtime, NOWHERE)
        except OSError as error:
            raise disk_error(f"the runtime's identity cannot be written: {error}", error) from error

    def _anew(self, pen: _Pen, end: Head, reasons: list[str], known: Head | None) -> Head:
        """The chain goes on with an entry that says why it is not the one that was left."""
        left = {"seq": known.seq, "head": known.digest.hex()} if known else None
        _log.error(
            "the journal of %s is not as it was left: %s. `assess results verify` says more",
            plain(pen.runtime),
            "; ".join(BREAKS[reason][1] for reason in reasons),
            extra={"action": "chain-broken", "reasons": reasons},
        )
        return self._add(pen, end, "begin", {"why": reasons, "left": left}).end

    def _at_home(self, pen: _Pen, end: Head) -> tuple[Head, _Pen]:
        """On another machine another key signs: of two copies of one state, each is known by its own."""
        if self._settled or not self.identity.moved():
            return end, pen
        new = self.identity.new_key()
        _log.warning("this state comes from another machine; a new key signs here", extra={"action": "chain-moved"})
        self._moving = new.public
        end = self._add(pen, end, "key", {"why": "moved", "next": new.public.base64()}).end
        return end, replace(pen, key=new)

    def _add(self, pen: _Pen, end: Head, kind: Kind, facts: Mapping[str, Any]) -> Entry:
        entry = make_entry(end, runtime=pen.runtime, at=self._clock(), key=pen.key, kind=kind, facts=facts)
        pen.connection.execute(_INSERT, (pen.runtime, entry.seq, entry.document, entry.head, entry.signature))
        self._behind.add(pen.runtime)
        self._seen[pen.runtime] = entry.end
        return entry


def last_entry(connection: Connection, runtime: str) -> Entry | None:
    """The last entry of this runtime's chain; None of a chain without any."""
    row = connection.execute(_LAST, (runtime,)).fetchone()
    return _entry(row) if row else None


def facts_of(connection: Connection, run_id: str) -> dict[str, object]:
    """What vouches for this run as it is in the journal (`chain.run_facts`)."""
    select = f"SELECT {RUN_COLUMNS}, document FROM runs WHERE run_id = ?"  # noqa: S608  a constant
    *columns, document = connection.execute(select, (run_id,)).fetchone()
    results = connection.execute(
        "SELECT position, result_id, document FROM results WHERE run_id = ? ORDER BY position", (run_id,)
    )
    evidence = connection.execute("SELECT sha256 FROM evidence_uses WHERE run_id = ?", (run_id,))
    return run_facts(tuple(columns), document, results, [row[0] for row in evidence])


def _unvouched(connection: Connection, runtime: str, through: int) -> list[str]:
    """Runs up to this position that no entry names, in order."""
    named: set[str] = set()
    for row in connection.execute(_BEHIND, (runtime, 0)):
        with suppress(ValueError):
            named.add(str(read(_entry((runtime, *row))).facts.get("run_id")))
    rows = connection.execute("SELECT run_id FROM runs WHERE position <= ? ORDER BY position", (through,))
    return [row[0] for row in rows if row[0] not in named]


def _entry(row: tuple[str, int, bytes, bytes, bytes]) -> Entry:
    runtime, seq, document, head, signature = row
    return Entry(runtime=runtime, seq=seq, document=document, head=head, signature=signature)


def _is_ours(entry: Entry, ours: Collection[PublicKey]) -> bool:
    try:
        key = read(entry).key
    except ValueError:
        return False
    return key in ours and signed(entry.head, entry.signature, key)


def _stands(connection: Connection, runtime: str, head: Head) -> bool:
    row = connection.execute("SELECT head FROM chain WHERE runtime = ? AND seq = ?", (runtime, head.seq)).fetchone()
    return row is not None and row[0] == head.digest


def _next_key(last: Entry) -> PublicKey:
    """The key that signs what follows this entry.

    Raises:
        ValueError: the entry is damaged.
    """
    said = read(last)
    if said.kind != "key":
        return said.key
    try:
        return parse_base64_key(said.facts["next"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no key: {error!r}") from error


def _break(connection: Connection, last: Entry, known: Head | None) -> str:
    """Why this is not the chain that was left; empty when it is."""
    if known is None:
        return "no-head"
    if known.seq > last.seq:
        return "cut"
    row = connection.execute(
        "SELECT head FROM chain WHERE runtime = ? AND seq = ?", (last.runtime, known.seq)
    ).fetchone()
    return "replaced" if row is not None and row[0] != known.digest else ""

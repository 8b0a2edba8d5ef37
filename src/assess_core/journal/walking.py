"""Going along a chain, entry after entry: which links hold, which keys signed, and what is vouched for in the end.

Pure: it takes entries from wherever they come, in the order of their numbers, and never raises for what they say. What
is wrong is named, once, and the walk goes on behind it: of a chain with one bad entry all others are still believed.

Whose word counts (docs/chain.md, under that heading): trusted are the keys that are known by another way than the
chain, and each key that a `key` entry which counts hands over to. An entry that is as it was signed counts

1. from the first one of a trusted key on, if it is signed by the key that is in force - the one of the entry before, or
   the one that was handed over to -, or is a `begin` of another trusted key, which is told as NEW KEY;
2. before that, at the front, for what it says of runs, evidence and retention alone: it accepts nothing, and makes no
   key trusted. The front is UNKNOWN KEY, unless a `begin` of a trusted key ends it (NEW KEY, which can be accepted:
   all keys of a runtime were lost).

All else is UNKNOWN KEY, says nothing, and no acceptance takes that away.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from assess_core.journal.chain import Entry, Said, head_of, read, signed
from assess_core.journal.identity import HEAD_BYTES, NOWHERE, Head
from assess_registry.client import PublicKey, parse_base64_key


class Word(StrEnum):
    """What there is to say against a journal."""

    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"
    CUT = "cut"
    REPLACED = "replaced"
    NEW_KEY = "new key"
    UNKNOWN_KEY = "unknown key"
    DAMAGED = "damaged"


BREAKS: Mapping[str, tuple[Word, str]] = {
    "cut": (Word.CUT, "entries that were there before are not; was a backup put back?"),
    "replaced": (Word.REPLACED, "this is not the chain that was here before"),
    "no-head": (Word.CUT, "head.json was gone, so nobody knows whether more entries had followed"),
    "damaged": (Word.CHANGED, "the entry before could not be read when this one was made"),
    "key": (Word.NEW_KEY, "the key that signed until then was not here any more, and another one goes on"),
}
"""Why a chain began anew in its middle: what that is called, and what it means."""

HELD = ("assessment", "results", "digest", "rows")
"""What an entry says of a run that the journal is held to."""

_ACCEPTABLE = frozenset(word for word, _ in BREAKS.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """One thing that is not as it was signed.

    Attributes:
        where: for people: which entry, run, or piece of evidence.
        message: what is wrong with it.
        run_id: of the run, where it is one.
        seq: of the entry, where it is one.
        accepted: by whom and why it was accepted; empty while nobody has.
    """

    word: Word
    runtime: str
    where: str
    message: str
    run_id: str = ""
    seq: int | None = None
    accepted: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vouched:
    """What the chain says of a run (`HELD`): the entry that says it, and when that was made."""

    seq: int
    at: datetime
    facts: Mapping[str, Any]


@dataclass(kw_only=True, slots=True)
class Walk:
    """What a chain says, and what is wrong with it.

    Attributes:
        first: the number of the first entry that is still there; 0 of a chain without any.
        head: where it stands.
        begun_at: when its first entry that is still there was made.
        runs: what is vouched for, by run.
        doubtful: runs whose entries are wrong themselves.
        gone: digests of evidence that was removed.
        removed_runs: how many retention took away, as far as its entries are still there.
        removed_at: when it last did.
        adopted: how many runs were there before the chain began.
        moved_at: when it was last found on another machine.
        breaks: numbers of entries that told of something that somebody may have looked into.
        heads: of the entries whose heads were wanted.
    """

    runtime: str
    first: int = 0
    head: Head = NOWHERE
    begun_at: datetime | None = None
    runs: dict[str, Vouched] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    removed_runs: int = 0
    removed_at: datetime | None = None
    adopted: int = 0
    moved_at: datetime | None = None
    breaks: set[int] = field(default_factory=set)
    troubles: list[Trouble] = field(default_factory=list)
    heads: dict[int, bytes] = field(default_factory=dict)


def walk(
    runtime: str, entries: Iterable[Entry], *, trusted: Collection[PublicKey], wanted: Collection[int] = ()
) -> Walk:
    """The chain of a runtime, gone along from its first entry to its last.

    Args:
        runtime: whose it is.
        entries: its rows, by rising number.
        trusted: the keys that are known to be this runtime's by another way than the chain.
        wanted: numbers of entries whose heads are to be told.
    """
    going = _Going(Walk(runtime=runtime), frozenset(trusted), frozenset(wanted))
    for entry in entries:
        going.on(entry)
    going.end()
    return going.walk


@dataclass(slots=True)
class _Stretch:
    """Entries in a row that no key signed which is known; the last one is set as the walk goes on."""

    key: PublicKey
    first: int
    last: int = 0


class _Going:
    """Where the walk is; see `walk`."""

    def __init__(self, walked: Walk, trusted: frozenset[PublicKey], wanted: frozenset[int]) -> None:
        self.walk = walked
        self._trusted = set(trusted)  # and those that one of them handed over to
        self._wanted = wanted
        self._first: Entry | None = None
        self._key: PublicKey | None = None  # whose word counts now
        self._ours = False  # whether a trusted key has signed yet
        self._front: _Stretch | None = None
        self._strange: _Stretch | None = None
        self._through = NOWHERE
        self._accepted: list[tuple[int, str]] = []

    def on(self, entry: Entry) -> None:
        before = self._before(entry)
        said = self._checked(entry, before)
        self.walk.head = Head(seq=entry.seq, digest=self._head_of_checked)
        if entry.seq in self._wanted:
            self.walk.heads[entry.seq] = self._head_of_checked
        if said is not None and self._counts(said):
            self._learn(said)

    def end(self) -> None:
        self._check_first()
        self._end_of_strange()
        if self._front is not None:
            self._unknown(self._front, "which is not known to be this runtime's")
        self.walk.troubles = [self._judged(each) for each in self.walk.troubles]

    def _counts(self, said: Said) -> bool:
        """Whether what the entry says counts: the rule of the module's docstring, entry by entry."""
        known, begins = said.key in self._trusted, said.kind == "begin"
        if self._ours and said.key != self._key and not (begins and known):
            if self._strange is None:
                self._strange = _Stretch(said.key, said.seq)
            self._strange.last = said.seq
            return False
        self._end_of_strange()
        if not self._ours and known:
            self._ours = True
            if self._front is not None and begins:
                self._front = None  # `_begun` tells of it, so that it can be accepted
        elif not self._ours:
            self._front = self._front or _Stretch(said.key, said.seq)
            self._front.last = said.seq
        return True

    def _end_of_strange(self) -> None:
        if self._strange is not None:
            was = self._key.id if self._key else "none"
            why = f"and {was} was in force, which has not handed over to it: what is said there counts for nothing"
            self._unknown(self._strange, why)
            self._strange = None

    def _unknown(self, stretch: "_Stretch", why: str) -> None:
        one = stretch.first == stretch.last
        where = f"entry {stretch.first}" if one else f"entries {stretch.first} to {stretch.last}"
        trouble = Trouble(
            word=Word.UNKNOWN_KEY,
            runtime=self.walk.runtime,
            where=where,
            message=f"signed by {stretch.key.id}, {why}",
            seq=stretch.first,
        )
        self.walk.troubles.append(trouble)

    def _judged(self, trouble: Trouble) -> Trouble:
        """The same, with the first acceptance that came after it. What was changed or is missing cannot be accepted."""
        if trouble.seq not in self.walk.breaks or trouble.word not in _ACCEPTABLE:
            return trouble
        return replace(trouble, accepted=next((by for seq, by in self._accepted if seq > (trouble.seq or 0)), ""))

    def _before(self, entry: Entry) -> bytes | None:
        """The head that this entry follows; None when that one is not there to be asked."""
        if self._first is None:
            self._first, self.walk.first = entry, entry.seq
            return NOWHERE.digest if entry.seq == 1 else None
        if entry.seq != self.walk.head.seq + 1:
            self._missing(self.walk.head.seq + 1, entry.seq - 1)
            return None
        return self.walk.head.digest

    def _checked(self, entry: Entry, before: bytes | None) -> Said | None:
        """What the entry says, if it is as it was signed."""
        self._head_of_checked = entry.head if len(entry.head) == HEAD_BYTES else bytes(HEAD_BYTES)
        try:
            said = read(entry)
        except ValueError as error:
            self._trouble(Word.CHANGED, entry.seq, f"its document is none: {error}")
            return None
        computed = entry.head if before is None else head_of(before, entry.seq, entry.document)
        key = said.key if said.kind == "begin" or self._key is None else self._key
        if computed == entry.head and signed(entry.head, entry.signature, said.key):
            return said
        self._explain(entry, said, computed, key)
        return None

    def _explain(self, entry: Entry, said: Said, computed: bytes, key: PublicKey) -> None:
        """Say which part of the entry is not as it was made."""
        if "run_id" in said.facts:
            self.walk.doubtful.add(str(said.facts["run_id"]))
        if computed == entry.head:
            self._trouble(Word.CHANGED, entry.seq, "its signature is not of its head")
        elif signed(computed, entry.signature, key):
            self._head_of_checked = computed
            self._trouble(Word.CHANGED, entry.seq, "its head is not what its document and the entry before come to")
        else:
            self._trouble(Word.CHANGED, entry.seq, "its document, or the entry before, is not what was signed")

    def _learn(self, said: Said) -> None:
        """Take over what an entry says that is as it was signed, and counts."""
        walked, facts = self.walk, said.facts
        walked.begun_at = walked.begun_at or said.at
        before, self._key = self._key, said.key
        try:
            match said.kind:
                case "begin":
                    self._begun(said, before)
                case "key":
                    following = parse_base64_key(facts["next"])
                    if self._ours:
                        self._key = following
                        self._trusted.add(following)
                    walked.moved_at = said.at
                case "run":
                    held = {name: facts[name] for name in HELD}  # not all of it: there may be a million
                    walked.runs[str(facts["run_id"])] = Vouched(seq=said.seq, at=said.at, facts=held)
                    walked.adopted += facts["why"] == "before"
                case "evidence-gone":
                    walked.gone.update(map(str, facts["digests"]))
                case "retention":
                    through = Head(seq=int(facts["through_seq"]), digest=bytes.fromhex(facts["through_head"]))
                    self._through = max(self._through, through, key=lambda head: head.seq)
                    walked.removed_runs += int(facts["runs"])
                    walked.removed_at = said.at
                    self._removed(said)
                case "accept" if self._ours:
                    self._accepted.append((said.seq, f"accepted by {facts['by']} at {facts['at']}: {facts['reason']}"))
        except (KeyError, TypeError, ValueError) as error:
            self._trouble(Word.CHANGED, said.seq, f"it lacks what an entry of its kind says: {error!r}")

    def _begun(self, said: Said, before: PublicKey | None) -> None:
        reasons = {str(why) for why in said.facts["why"]} & BREAKS.keys()
        if before is not None and before != said.key:
            reasons.add("key")
        if said.seq > 1 and not reasons:
            reasons.add("replaced")  # nobody who keeps a chain begins it anew without a reason
        for why in BREAKS:
            if why in reasons:
                word, message = BREAKS[why]
                self._trouble(word, said.seq, f"the chain began anew at {said.facts['at']}: {message}")
                self.walk.breaks.add(said.seq)

    def _removed(self, said: Said) -> None:
        for what in map(str, said.facts["changed"]):
            message = f"retention removed or renewed it at {said.facts['at']}, and it was not as it was signed"
            trouble = Trouble(word=Word.CHANGED, runtime=self.walk.runtime, where=what, message=message, seq=said.seq)
            self.walk.troubles.append(trouble)
            self.walk.breaks.add(said.seq)

    def _check_first(self) -> None:
        """Whether the first entry that is there is the first that retention left."""
        first, through = self._first, self._through
        if first is None:
            return
        if first.seq > through.seq + 1:
            self._missing(through.seq + 1, first.seq - 1)
        elif first.seq <= through.seq:
            self._trouble(Word.ADDED, first.seq, f"retention removed it, as it did all entries up to {through.seq}")
        elif through.seq and head_of(through.digest, first.seq, first.document) != first.head:
            self._trouble(Word.CHANGED, first.seq, "its document is not what was signed")

    def _missing(self, first: int, last: int) -> None:
        seqs = str(first) if first == last else f"{first} to {last}"
        self.walk.troubles.append(
            Trouble(
                word=Word.MISSING,
                runtime=self.walk.runtime,
                where=f"entry {seqs}",
                message="not there, and no entry of retention says that it removed it",
                seq=first,
            )
        )

    def _trouble(self, word: Word, seq: int, message: str) -> None:
        self.walk.troubles.append(
            Trouble(word=word, runtime=self.walk.runtime, where=f"entry {seq}", message=message, seq=seq)
        )

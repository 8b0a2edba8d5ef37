"""The chain of a runtime: entries that each vouch for all before them; pure values, no file.

An entry is a JSON document, a head and a signature. The head is a digest over the head before, the entry's number and
its document, so that who knows one head knows all up to it; the signature is over the head.

    head      = sha256("assess-chain-1" NUL, head before, number, sha256(document))
    signature = Ed25519("assess-chain-signature-1" NUL, head)

The head before the first entry is 32 zero bytes, a number has 8 bytes, the highest first. Every document has `schema`,
`runtime`, `seq`, `at`, `kind` and `key`, the base64 of the public key that signs it. Kinds:

    begin          the chain begins, or goes on after something that has to be told: `why`
    key            from the next entry on another key signs: `next`
    run            a run and its results: `digest` of their documents, `rows` of what stands around them
    evidence-gone  the bytes of these pieces of evidence were removed
    retention      what ended before a time was removed, and with it the entries up to `through_seq`
    accept         somebody has looked into all that had to be told up to here
"""

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assess_core.clock import timestamp
from assess_core.journal.identity import HEAD_BYTES, Head
from assess_registry.client import PrivateKey, PublicKey, parse_base64_key

SCHEMA = 1

Kind = Literal["begin", "key", "run", "evidence-gone", "retention", "accept"]
KINDS: tuple[Kind, ...] = ("begin", "key", "run", "evidence-gone", "retention", "accept")

_JSON = json.JSONEncoder(separators=(",", ":"))  # once: `json.dumps` would make one for each line

_HEAD = b"assess-chain-1\0"
_SIGNATURE = b"assess-chain-signature-1\0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A row of the chain, to the byte."""

    runtime: str
    seq: int
    document: bytes
    head: bytes
    signature: bytes

    @property
    def end(self) -> Head:
        """Where the chain stands with this as its last entry."""
        return Head(seq=self.seq, digest=self.head)


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What an entry says.

    Attributes:
        key: that signs it.
        facts: the whole document.
    """

    seq: int
    at: datetime
    kind: Kind
    key: PublicKey
    facts: Mapping[str, Any]


def make_entry(
    before: Head, *, runtime: str, at: datetime, key: PrivateKey, kind: Kind, facts: Mapping[str, Any]
) -> Entry:
    """The entry that follows where the chain stands, signed."""
    document = {
        "schema": SCHEMA,
        "runtime": runtime,
        "seq": before.seq + 1,
        "at": timestamp(at, timespec="microseconds"),
        "kind": kind,
        "key": key.public.base64(),
        **facts,
    }
    text = _JSON.encode(document).encode("ascii")
    head = head_of(before.digest, before.seq + 1, text)
    return Entry(runtime=runtime, seq=before.seq + 1, document=text, head=head, signature=key.sign(_SIGNATURE + head))


def head_of(before: bytes, seq: int, document: bytes) -> bytes:
    """What vouches for this document as that number, and for all before it."""
    return hashlib.sha256(_HEAD + before + struct.pack(">Q", seq) + hashlib.sha256(document).digest()).digest()


def signed(head: bytes, signature: bytes, key: PublicKey) -> bool:
    """Whether the key made the signature over this head."""
    return len(head) == HEAD_BYTES and key.verifies(signature, _SIGNATURE + head)


def read(entry: Entry) -> Said:
    """What the entry says, whoever wrote it.

    Raises:
        ValueError: it is no document of a chain, or says that it is another one's.
    """
    try:
        facts = json.loads(entry.document)
        if facts["schema"] != SCHEMA or facts["kind"] not in KINDS:
            raise ValueError(f"schema {facts['schema']!r}, kind {facts['kind']!r}: of a newer assess?")
        if (facts["runtime"], facts["seq"]) != (entry.runtime, entry.seq):
            raise ValueError(f"it says that it is entry {facts['seq']!r} of {facts['runtime']!r}")
        at = datetime.fromisoformat(facts["at"])
        timestamp(at)
        key = parse_base64_key(facts["key"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not an entry of a chain: {error!r}") from error
    return Said(seq=entry.seq, at=at, kind=facts["kind"], key=key, facts=facts)


def run_facts(
    columns: tuple[object, ...], document: bytes, results: Iterable[tuple[int, str, bytes]], evidence: Iterable[str]
) -> dict[str, object]:
    """What vouches for a run and its results.

    Args:
        columns: what stands around the run's document, in the order of `RUN_COLUMNS`.
        document: the run's.
        results: of each its position, its id and its document, in order.
        evidence: the digests of all that it refers to.

    Returns:
        `run_id`, `assessment`; `results`, how many; `digest` over the documents alone: sha256 of the run document's
        sha256 followed by that of each result's, in order; `rows` over what stands around them.
    """
    digest = hashlib.sha256(hashlib.sha256(document).digest())
    rows = hashlib.sha256(_line(columns))
    count = 0
    for position, result_id, each in results:
        digest.update(hashlib.sha256(each).digest())
        rows.update(_line((position, result_id)))
        count += 1
    for sha256 in sorted(evidence):
        rows.update(_line((sha256,)))
    _, run_id, assessment = columns[:3]
    return {
        "run_id": run_id,
        "assessment": assessment,
        "results": count,
        "digest": digest.hexdigest(),
        "rows": rows.hexdigest(),
    }


RUN_COLUMNS = "position, run_id, assessment, due_us, ended_us, complete, counts, attempt"
"""Of layout 2; in this order they are part of what is signed, and columns that come later are not."""


def _line(values: tuple[object, ...]) -> bytes:
    return _JSON.encode(values).encode("ascii") + b"\n"

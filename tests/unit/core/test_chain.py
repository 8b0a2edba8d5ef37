"""An entry of the chain: what its head and its signature hold, and what is no entry."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from assess_core.journal.chain import Entry, head_of, make_entry, read, run_facts, signed
from assess_core.journal.identity import NOWHERE
from assess_registry.client import PrivateKey, generate_key

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return generate_key()


@pytest.fixture
def entry(key: PrivateKey) -> Entry:
    return make_entry(NOWHERE, runtime="web-01", at=NOON, key=key, kind="begin", facts={"why": "first"})


def test_a_head_is_what_the_documentation_says(entry: Entry) -> None:
    expected = hashlib.sha256(
        b"assess-chain-1\0" + bytes(32) + (1).to_bytes(8, "big") + hashlib.sha256(entry.document).digest()
    )
    assert entry.head == expected.digest()


def test_an_entry_is_signed_by_the_key_that_it_names(entry: Entry, key: PrivateKey) -> None:
    assert signed(entry.head, entry.signature, key.public)
    assert not signed(entry.head, entry.signature, generate_key().public)
    assert not signed(entry.head[:31], entry.signature, key.public)
    said = read(entry)
    assert (said.key, said.kind, said.seq, said.at) == (key.public, "begin", 1, NOON)


def test_what_is_signed_is_no_signature_of_anything_else(entry: Entry, key: PrivateKey) -> None:
    """The key of a runtime may sign other things: a bare head is none of them."""
    assert not key.public.verifies(entry.signature, entry.head)


@pytest.mark.parametrize(
    "changed",
    [{"seq": 2}, {"runtime": "web-02"}, {"kind": "end"}, {"schema": 2}, {"at": "2026-11-21T12:00:00"}, {"key": "AA=="}],
)
def test_a_document_that_is_of_another_place_is_no_entry(changed: dict[str, object], entry: Entry) -> None:
    document = json.loads(entry.document)
    assert read(replace(entry, document=json.dumps(document).encode())).kind == document["kind"]
    with pytest.raises(ValueError):
        read(replace(entry, document=json.dumps(document | changed).encode()))


@pytest.mark.parametrize("junk", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"schema": 1}'])
def test_junk_is_no_entry(junk: bytes, entry: Entry) -> None:
    with pytest.raises(ValueError):
        read(replace(entry, document=junk))


def test_a_head_knows_its_number_and_its_place(entry: Entry) -> None:
    heads = {
        head_of(bytes(32), 1, b"a"),
        head_of(bytes(32), 2, b"a"),
        head_of(bytes(31) + b"\1", 1, b"a"),
        head_of(bytes(32), 1, b"b"),
    }
    assert len(heads) == 4


def test_the_digest_of_a_run_is_over_its_documents_alone_and_rows_over_the_rest() -> None:
    columns = (1, "run", "host", 5, 6, 1, '{"pass":2}', 1)
    results = [(1, "r1", b"one"), (2, "r2", b"two")]
    facts = run_facts(columns, b"run", results, ["b" * 64, "a" * 64])
    parts = b"".join(hashlib.sha256(each).digest() for each in (b"run", b"one", b"two"))
    assert facts["digest"] == hashlib.sha256(parts).hexdigest()
    assert (facts["run_id"], facts["assessment"], facts["results"]) == ("run", "host", 2)
    assert run_facts(columns, b"run", results, ["a" * 64, "b" * 64]) == facts
    for other in (
        run_facts((2, *columns[1:]), b"run", results, ["a" * 64, "b" * 64]),
        run_facts(columns, b"run", [(1, "r1", b"one"), (3, "r2", b"two")], ["a" * 64, "b" * 64]),
        run_facts(columns, b"run", results, ["a" * 64]),
    ):
        assert other["digest"] == facts["digest"]
        assert other["rows"] != facts["rows"]
    assert run_facts(columns, b"run", results[::-1], ["a" * 64])["digest"] != facts["digest"]

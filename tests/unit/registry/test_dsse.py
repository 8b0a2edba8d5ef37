import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import Key, SSlibKey

from assess_registry.canonical import encode
from assess_registry.dsse import MAX_SIGNATURES, Envelope, pae, parse_envelope, sign_envelope
from assess_registry.errors import TrustError
from assess_registry.keys import PublicKey, generate_key

ALICE, BOB, EVE = (generate_key() for _ in range(3))
KEYS = {key.public.id: key.public for key in (ALICE, BOB)}
TYPE = "application/vnd.in-toto+json"
PAYLOAD = b'{"a": "\xff\xfe~~~"}'
ENVELOPE = sign_envelope(PAYLOAD, TYPE, (ALICE, BOB))
BOTH = {ALICE.public.id, BOB.public.id}


def test_what_is_signed_is_spelt_out_as_the_protocol_says() -> None:
    # The example of the protocol's own text (DSSE protocol v1).
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_every_signer_is_found_again() -> None:
    assert parse_envelope(ENVELOPE.data()) == ENVELOPE
    assert ENVELOPE.signers(KEYS) == BOTH
    assert ENVELOPE.signers({ALICE.public.id: ALICE.public}) == {ALICE.public.id}
    assert ENVELOPE.signers({}) == frozenset()


@given(payload=st.binary(max_size=200), bits=st.integers(min_value=0, max_value=7))
def test_any_payload_comes_back_and_any_changed_bit_loses_every_signature(payload: bytes, bits: int) -> None:
    envelope = sign_envelope(payload, TYPE, (ALICE,))
    again = parse_envelope(envelope.data())
    assert again == envelope
    assert again.signers(KEYS) == {ALICE.public.id}
    changed = payload + b"x" if not payload else bytes([payload[0] ^ (1 << bits), *payload[1:]])
    moved = Envelope(payload_type=TYPE, payload=changed, signatures=envelope.signatures)
    assert moved.signers(KEYS) == frozenset()


@pytest.mark.parametrize(
    ("payload_type", "payload", "signers"),
    [
        (TYPE, PAYLOAD, BOTH),  # the control
        ("application/vnd.in-toto+jsom", PAYLOAD, set()),
        ("text/plain", PAYLOAD, set()),
        (TYPE, PAYLOAD + b" ", set()),
        (TYPE, b"", set()),
    ],
)
def test_a_signature_is_for_one_type_and_one_payload(payload_type: str, payload: bytes, signers: set[str]) -> None:
    moved = Envelope(payload_type=payload_type, payload=payload, signatures=ENVELOPE.signatures)
    assert moved.signers(KEYS) == signers


def test_a_bare_signature_over_the_payload_is_no_signature_of_the_envelope() -> None:
    bare = Envelope(payload_type=TYPE, payload=PAYLOAD, signatures=((ALICE.public.id, ALICE.sign(PAYLOAD)),))
    assert bare.signers(KEYS) == frozenset()
    right = Envelope(
        payload_type=TYPE, payload=PAYLOAD, signatures=((ALICE.public.id, ALICE.sign(pae(TYPE, PAYLOAD))),)
    )
    assert right.signers(KEYS) == {ALICE.public.id}


def test_whose_signature_it_is_follows_from_the_key_and_not_from_the_id_beside_it() -> None:
    signature = EVE.sign(pae(TYPE, PAYLOAD))
    claimed = Envelope(payload_type=TYPE, payload=PAYLOAD, signatures=((ALICE.public.id, signature),))
    assert claimed.signers(KEYS) == frozenset()
    # One key that a table of keys holds under a second id counts for its own id alone.
    double = {ALICE.public.id: ALICE.public, BOB.public.id: ALICE.public}
    signature = ALICE.sign(pae(TYPE, PAYLOAD))
    twice = Envelope(
        payload_type=TYPE, payload=PAYLOAD, signatures=((ALICE.public.id, signature), (BOB.public.id, signature))
    )
    assert twice.signers(double) == {ALICE.public.id}
    assert ENVELOPE.signers(KEYS) == BOTH


def test_the_order_of_signing_makes_no_second_spelling() -> None:
    other = sign_envelope(PAYLOAD, TYPE, (BOB,)).signed_by(ALICE).signed_by(BOB)
    assert other == ENVELOPE
    assert other.data() == ENVELOPE.data()


def document(envelope: Envelope = ENVELOPE) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(envelope.data())
    return value


def urlsafe(value: dict[str, Any]) -> None:
    value["payload"] = value["payload"].replace("+", "-").replace("/", "_")


def loose_bits(value: dict[str, Any]) -> None:
    sig = value["signatures"][0]["sig"]
    value["signatures"][0]["sig"] = sig[:-3] + chr(ord(sig[-3]) + 1) + "=="


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "the other alphabet": urlsafe,
    "set unused bits": loose_bits,
    "no padding": lambda value: value.update(payload=value["payload"].rstrip("=")),
    "a line break": lambda value: value.update(payload=value["payload"] + "\n"),
    "not ascii": lambda value: value.update(payload="é" + value["payload"]),
    "a signature twice": lambda value: value["signatures"].insert(0, value["signatures"][0]),
    "a key id twice": lambda value: value["signatures"].insert(
        0, value["signatures"][0] | {"sig": base64.b64encode(bytes(64)).decode()}
    ),
    "another order": lambda value: value["signatures"].reverse(),
    "a short signature": lambda value: value["signatures"][0].update(sig=base64.b64encode(bytes(63)).decode()),
    "a long signature": lambda value: value["signatures"][0].update(sig=base64.b64encode(bytes(65)).decode()),
    "an id that is none": lambda value: value["signatures"][0].update(keyid="alice"),
    "an id without its prefix": lambda value: value["signatures"][0].update(keyid="0" * 64),
    "no id": lambda value: value["signatures"][0].pop("keyid"),
    "a certificate": lambda value: value["signatures"][0].update(cert=""),
    "another member": lambda value: value.update(extra=1),
    "no payload": lambda value: value.pop("payload"),
    "a payload that is no string": lambda value: value.update(payload=1),
    "no list": lambda value: value.update(signatures={}),
    "a type that is none": lambda value: value.update(payloadType="x"),
    "a type with a line break": lambda value: value.update(payloadType=TYPE + "\n"),
    "too many": lambda value: value.update(
        signatures=[{"keyid": f"sha256:{n:064x}", "sig": base64.b64encode(bytes(64)).decode()} for n in range(17)]
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_spelling_is_refused(name: str) -> None:
    assert "+" in document()["payload"] or "/" in document()["payload"], "or the other alphabet would be no other"
    assert parse_envelope(encode(document())) == ENVELOPE
    value = document()
    CHANGES[name](value)
    assert value != document()
    with pytest.raises(TrustError) as refused:
        parse_envelope(encode(value))
    assert (refused.value.step, bool(refused.value.next_step)) == ("envelope", True)


def test_as_many_signatures_as_are_allowed_are_read() -> None:
    keys = [generate_key() for _ in range(MAX_SIGNATURES)]
    envelope = sign_envelope(PAYLOAD, TYPE, keys)
    assert parse_envelope(envelope.data()).signers({key.public.id: key.public for key in keys}) == {
        key.public.id for key in keys
    }
    with pytest.raises(ValueError, match="at most 16"):
        envelope.signed_by(EVE)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b" " + data,
        lambda data: data + b"\n",
        lambda data: data.replace(b'"payload":', b'"payload": '),
        lambda data: data.replace(b'{"payload":', b'{"payload":"","payload":'),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data[:-1],
        lambda data: data.decode().encode("utf-16"),
        lambda _: b"[" * 100_000,
        lambda _: b"[" * 500 + b"]" * 500,
        lambda _: b"NaN",
        lambda _: b'{"payload":"' + b"A" * (3 << 20) + b'"}',
        lambda _: b"",
    ],
)
def test_json_has_one_spelling_too(change: Callable[[bytes], bytes]) -> None:
    assert parse_envelope(ENVELOPE.data()) == ENVELOPE
    with pytest.raises(TrustError):
        parse_envelope(change(ENVELOPE.data()))


def other_key(key: PublicKey) -> Key:
    return SSlibKey(key.id, "ed25519", "ed25519", {"public": key.raw.hex()})


def test_another_library_reads_and_verifies_it() -> None:
    other = OtherEnvelope.from_dict(json.loads(ENVELOPE.data()))
    assert (other.payload, other.payload_type, other.pae()) == (PAYLOAD, TYPE, pae(TYPE, PAYLOAD))
    keys = [other_key(ALICE.public), other_key(BOB.public)]
    assert set(other.verify(keys, 2)) == BOTH
    with pytest.raises(VerificationError):
        other.verify([other_key(ALICE.public), other_key(EVE.public)], 2)


def test_the_other_library_takes_what_we_must_refuse() -> None:
    value = document()
    urlsafe(value)
    other = OtherEnvelope.from_dict(copy.deepcopy(value))  # it edits what it reads
    assert set(other.verify([other_key(ALICE.public)], 1)) == {ALICE.public.id}, "two spellings of one payload"
    with pytest.raises(TrustError, match="standard alphabet"):
        parse_envelope(encode(value))

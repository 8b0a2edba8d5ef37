"""DSSE envelopes: a payload, its type, and the signatures of several keys over both.

The signatures are over PAE(type, payload) (DSSE protocol v1), so a payload that was signed as one thing cannot be shown
as another. The `keyid` beside a signature is a hint for the reader: what counts is which key verifies.

    envelope = sign_envelope(statement, "application/vnd.in-toto+json", (alice, bob))
    parse_envelope(envelope.data()).signers({key.id: key for key in reviewers})
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from assess_registry.canonical import Members, decode, encode
from assess_registry.errors import TrustError
from assess_registry.keys import SIGNATURE_BYTES, KeyId, PrivateKey, PublicKey, parse_key_id

MAX_SIGNATURES = 16
MAX_PAYLOAD_BYTES = 1 << 20
MAX_ENVELOPE_BYTES = 2 << 20

_TYPE = re.compile(r"[a-z]+/[A-Za-z0-9.+_-]{1,100}\Z", re.ASCII)


def pae(payload_type: str, payload: bytes) -> bytes:
    """What is signed: the pre-authentication encoding (DSSE protocol v1)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """A payload and who claims to have signed it.

    Attributes:
        signatures: key ids as claimed, each once and in their order, with 64 bytes each. Nothing is verified yet.

    Raises:
        ValueError: a bad type, too much of something, or a key id twice.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[KeyId, bytes], ...] = ()

    def __post_init__(self) -> None:
        if not _TYPE.match(self.payload_type):
            raise ValueError(f"payloadType: expected a media type, got {self.payload_type[:80]!r}")
        if len(self.payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"payload: expected at most {MAX_PAYLOAD_BYTES} bytes, got {len(self.payload)}")
        if len(self.signatures) > MAX_SIGNATURES:
            raise ValueError(f"signatures: expected at most {MAX_SIGNATURES}, got {len(self.signatures)}")
        for key_id, signature in self.signatures:
            parse_key_id(key_id)
            if len(signature) != SIGNATURE_BYTES:
                raise ValueError(f"signatures: expected {SIGNATURE_BYTES} bytes, got {len(signature)}")
        if len({key_id for key_id, _ in self.signatures}) != len(self.signatures):
            raise ValueError("signatures: a key id stands in it twice; a second signature by one key says nothing")
        object.__setattr__(self, "signatures", tuple(sorted(self.signatures)))

    def data(self) -> bytes:
        """The envelope as JSON; the same for the same envelope."""
        signatures = [{"keyid": key_id, "sig": _base64(signature)} for key_id, signature in self.signatures]
        return encode({"payload": _base64(self.payload), "payloadType": self.payload_type, "signatures": signatures})

    def signers(self, keys: Mapping[KeyId, PublicKey]) -> frozenset[KeyId]:
        """Those of the keys whose signatures verify. An id that is not its key's own is never among them."""
        signed = pae(self.payload_type, self.payload)
        return frozenset(
            key_id
            for key_id, signature in self.signatures
            if (key := keys.get(key_id)) is not None and key.id == key_id and key.verifies(signature, signed)
        )

    def signed_by(self, *keys: PrivateKey) -> "Envelope":
        """The envelope with the signatures of these keys as well; a key that signed before signs anew."""
        signed = pae(self.payload_type, self.payload)
        signatures = dict(self.signatures) | {key.public.id: key.sign(signed) for key in keys}
        return replace(self, signatures=tuple(signatures.items()))


def sign_envelope(payload: bytes, payload_type: str, keys: Iterable[PrivateKey]) -> Envelope:
    """An envelope with one signature of each key.

    Raises:
        ValueError: the payload is too long, its type is none, or there are too many keys.
    """
    return Envelope(payload_type=payload_type, payload=payload).signed_by(*keys)


def parse_envelope(data: bytes) -> Envelope:
    """The envelope in these bytes, which must be as `Envelope.data` writes them.

    Raises:
        TrustError: step `envelope`; not such an envelope, base64 in another alphabet or spelling, or too much of
            anything.
    """
    try:
        return _parse(data)
    except ValueError as error:
        raise TrustError(
            f"not a DSSE envelope in its one spelling: {error}",
            step="envelope",
            thing="DSSE envelope",
            next_step="get the file again from where it was signed",
        ) from error


def _parse(data: bytes) -> Envelope:
    members = Members.of(
        decode(data, max_bytes=MAX_ENVELOPE_BYTES), "envelope", required=("payload", "payloadType", "signatures")
    )
    signatures = tuple(_signature(*item) for item in members.items("signatures", max_items=MAX_SIGNATURES))
    envelope = Envelope(
        payload_type=members.parsed("payloadType", str),
        payload=members.parsed("payload", _bytes),
        signatures=signatures,
    )
    if envelope.signatures != signatures:
        raise ValueError("signatures: not in the order of their key ids")
    return envelope


def _signature(value: object, path: str) -> tuple[KeyId, bytes]:
    members = Members.of(value, path, required=("keyid", "sig"))
    return members.parsed("keyid", parse_key_id), members.parsed("sig", _bytes)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64 in the standard alphabet (RFC 4648, 4)") from error
    # Unused bits of the last character may be anything to a decoder: one payload, one spelling.
    if _base64(data) != text:
        raise ValueError("not the canonical spelling of its base64")
    return data

r"""Detached signatures: base64 of 64 Ed25519 bytes and a newline, in a file beside the one it signs.

The whole file is signed, with no header and no hash in between, so that any Ed25519 tool agrees:

    base64 -d x.whl.sig > sig; openssl pkeyutl -verify -pubin -inkey acme.pub -rawin -in x.whl -sigfile sig

There is one spelling of a signature; whatever else decodes to the same bytes is refused.
"""

import base64
import binascii

from assess_registry.errors import TrustError
from assess_registry.keys import SIGNATURE_BYTES, KeyId, PrivateKey, TrustedKeys

SIGNATURE_SUFFIX = ".sig"

SIGNATURE_FILE_BYTES = 89
"""88 characters of base64 and one newline."""


def sign_detached(data: bytes, key: PrivateKey) -> bytes:
    """The content of the `.sig` file for these bytes; the same key and data always give the same file."""
    return encode_signature(key.sign(data))


def verify_detached(data: bytes, signature: bytes, trusted: TrustedKeys, *, thing: str = "the signed file") -> KeyId:
    """The id of the trusted key that signed exactly these bytes.

    Args:
        data: what was signed.
        signature: the content of its `.sig` file.
        trusted: the keys that count.
        thing: the signed file's name, for the message.

    Raises:
        TrustError: step `signature`; there is none, it is not in its one spelling, or no trusted key made it.
    """
    try:
        raw = decode_signature(signature)
    except ValueError as error:
        expected = f"base64 of {SIGNATURE_BYTES} bytes and a newline"
        raise _refusal(f"the signature is malformed: {error}", thing, expected, _shape(signature)) from error
    signer = trusted.signer(raw, data)
    if signer is None:
        expected = f"a signature by one of: {trusted.describe()}"
        raise _refusal("no trusted key made its signature over these bytes", thing, expected, "none of them verifies")
    return signer.key.id


def encode_signature(raw: bytes) -> bytes:
    """64 bytes as the content of a `.sig` file."""
    return base64.b64encode(raw) + b"\n"


def decode_signature(content: bytes) -> bytes:
    """The 64 bytes in a `.sig` file.

    Raises:
        ValueError: it is empty, shorter, longer, or not the canonical spelling.
    """
    if not content:
        raise ValueError("it is empty")
    if len(content) != SIGNATURE_FILE_BYTES:
        raise ValueError(f"{len(content)} bytes, expected {SIGNATURE_FILE_BYTES}")
    try:
        raw = base64.b64decode(content[:-1], validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(raw) != SIGNATURE_BYTES:
        raise ValueError(f"it decodes to {len(raw)} bytes, expected {SIGNATURE_BYTES}")
    # The last character carries two unused bits, and the final byte might be anything: one signature, one spelling.
    if encode_signature(raw) != content:
        raise ValueError("not the canonical base64 spelling")
    return raw


def _refusal(message: str, thing: str, expected: str, got: str) -> TrustError:
    return TrustError(
        message,
        step="signature",
        thing=thing,
        expected=expected,
        got=got,
        next_step="do not use it; get the file and its .sig from the publisher again, or add the key if you trust it",
    )


def _shape(signature: bytes) -> str:
    shown = repr(signature[:24]) + ("…" if len(signature) > 24 else "")
    return f"{len(signature)} bytes, {shown}"

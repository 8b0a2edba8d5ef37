r"""Public keys: a `PublicKey` that exists is a safe one, and its id is derived from it.

A key's id is the SHA-256 of its 32 raw bytes, never read from anywhere, so one key cannot pass for two. A key has one
spelling in each place: PEM in `NAME.pub`, as OpenSSL reads and writes it, and base64 of the raw bytes in a table.

    openssl pkeyutl -verify -pubin -inkey acme.pub -rawin -in x.whl -sigfile <(base64 -d x.whl.sig)
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NewType

from assess_registry.errors import RegistryError, TrustError
from assess_registry.files import read_bounded
from assess_registry.keys import ed25519
from assess_registry.keys.point import PUBLIC_KEY_BYTES, check_point
from assess_registry.names import parse_sha256

KeyId = NewType("KeyId", str)
"""`sha256:` and the hexadecimal SHA-256 of the raw public key."""

PUBLIC_SUFFIX = ".pub"

MAX_PEM_BYTES = 4096
"""An encrypted Ed25519 key is about 320 bytes; anything near this is not one."""

_KEY_ID = "sha256:"

_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")
"""DER of a SubjectPublicKeyInfo with the algorithm Ed25519 (RFC 8410, 4); the 32 raw bytes follow."""

_PEM_BEGIN, _PEM_END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point of the curve that is safe to verify with.

    Raises:
        ValueError: not 32 bytes, not the canonical encoding of a point, or a point of small order.
    """

    raw: bytes

    def __post_init__(self) -> None:
        check_point(self.raw)

    @property
    def id(self) -> KeyId:
        """Derived from the key itself."""
        return KeyId(_KEY_ID + self.hex_id)

    @property
    def hex_id(self) -> str:
        """The id without its prefix, as TUF metadata and file names spell it."""
        return hashlib.sha256(self.raw).hexdigest()

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made the signature over exactly these bytes."""
        return ed25519.verifies(self.raw, signature, data)

    def pem(self) -> str:
        """SubjectPublicKeyInfo, the one spelling that `parse_public_key` accepts."""
        body = base64.b64encode(_SPKI_PREFIX + self.raw).decode("ascii")
        return f"{_PEM_BEGIN}\n{body}\n{_PEM_END}\n"

    def base64(self) -> str:
        """The raw bytes as tables hold them, the one spelling that `parse_base64_key` accepts."""
        return base64.b64encode(self.raw).decode("ascii")


def parse_key_id(text: str) -> KeyId:
    """A key's id.

    Raises:
        ValueError: not `sha256:` and 64 lower-case hexadecimal digits.
    """
    if not text.startswith(_KEY_ID):
        raise ValueError(f"{text[:80]!r} is not a key's id, sha256:…, as `assess-registry keys list` shows it")
    parse_sha256(text.removeprefix(_KEY_ID))
    return KeyId(text)


def parse_public_key(text: str) -> PublicKey:
    """The key in a SubjectPublicKeyInfo PEM, in the one spelling OpenSSL writes.

    Raises:
        ValueError: other framing, another algorithm, a wrong length, base64 that is not canonical, or an unsafe point.
    """
    lines = text.strip().splitlines()
    if len(lines) != 3 or lines[0] != _PEM_BEGIN or lines[2] != _PEM_END:
        raise ValueError(f"expected {_PEM_BEGIN}, one line of base64 and {_PEM_END}")
    der = _decode(lines[1])
    if not der.startswith(_SPKI_PREFIX):
        raise ValueError("not an Ed25519 public key (RFC 8410)")
    return PublicKey(der[len(_SPKI_PREFIX) :])


def parse_base64_key(text: str) -> PublicKey:
    """The key whose raw bytes this is the base64 of.

    Raises:
        ValueError: base64 that is not canonical, a wrong length, or an unsafe point.
    """
    if len(text) > 2 * PUBLIC_KEY_BYTES:
        raise ValueError(f"expected base64 of {PUBLIC_KEY_BYTES} bytes, got {len(text)} characters")
    return PublicKey(_decode(text))


def load_public_key(path: Path) -> PublicKey:
    """The key in one `.pub` file.

    Raises:
        TrustError: the file is not exactly one safe Ed25519 public key.
        OSError: it cannot be read.
    """
    try:
        return parse_public_key(read_bounded(path, MAX_PEM_BYTES).decode("ascii"))
    except (ValueError, RegistryError) as error:
        raise TrustError(
            f"not a usable public key: {error}",
            step="keys",
            thing=str(path),
            next_step="get the key from its owner again",
        ) from error


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {error}") from error
    if base64.b64encode(data).decode("ascii") != text:
        raise ValueError("not canonical base64: the same key must not have two spellings")
    return data

"""The library's Ed25519, behind four operations. This is the only file that imports `cryptography`."""

from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

SIGNATURE_BYTES = 64


class PassphraseError(Exception):
    """A passphrase is missing, or was given for a key that has none."""


def verifies(raw_key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the key made the signature over exactly these bytes."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(raw_key).verify(signature, data)
    except InvalidSignature:
        return False
    return True


class Secret:
    """A private key of the library; its bytes leave it as PEM only."""

    __slots__ = ("_key", "public_raw")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_raw = key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> Self:
        """A new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, data: bytes, passphrase: bytes | None) -> Self:
        """The key in a PKCS#8 PEM.

        Raises:
            PassphraseError: the passphrase is missing, or there is nothing to unlock.
            ValueError: it is no such file, or the passphrase is wrong.
            TypeError: it is a key of another algorithm.
        """
        try:
            key = load_pem_private_key(data, password=passphrase)
        except TypeError as error:  # cryptography's word for both
            raise PassphraseError(str(error)) from error
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"expected an Ed25519 key, got {type(key).__name__}")
        return cls(key)

    def pem(self, passphrase: bytes | None) -> bytes:
        """PKCS#8 PEM, encrypted where there is a passphrase."""
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    def sign(self, data: bytes) -> bytes:
        """64 bytes; the same for the same data (RFC 8032 is deterministic)."""
        return self._key.sign(data)

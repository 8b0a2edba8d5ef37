"""Private keys: made, written for their owner alone, and not used once others could have read them.

`NAME.key` is PKCS#8 PEM, `NAME.pub` beside it SubjectPublicKeyInfo PEM, as OpenSSL reads and writes them.
"""

import os
import secrets
import stat
from pathlib import Path

from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import atomic_write, sync_directory
from assess_registry.keys.ed25519 import PassphraseError, Secret
from assess_registry.keys.public import MAX_PEM_BYTES, PUBLIC_SUFFIX, PublicKey
from assess_registry.names import parse_id

KEY_SUFFIX = ".key"


class PrivateKey:
    """A key that signs. Its bytes are in no attribute, no `repr` and no pickle of ours."""

    __slots__ = ("_secret", "public")

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self.public = PublicKey(secret.public_raw)

    def __repr__(self) -> str:
        return f"PrivateKey(public={self.public.id!r})"

    def __reduce__(self) -> str:
        raise TypeError("a private key is written by write_private_key only")

    def sign(self, data: bytes) -> bytes:
        """64 bytes; the same for the same data (RFC 8032 is deterministic)."""
        return self._secret.sign(data)


def generate_key() -> PrivateKey:
    """A new key from the operating system's randomness."""
    return PrivateKey(Secret.generate())


def write_key_pair(
    directory: Path, name: str, key: PrivateKey, *, passphrase: bytes | None = None
) -> tuple[Path, Path]:
    """`NAME.key` and `NAME.pub` are in the directory, which is made for its owner alone if absent.

    Raises:
        ConfigError: the name is not one, or either file exists; neither is changed.
    """
    private, public = directory / (key_name(name) + KEY_SUFFIX), directory / (name + PUBLIC_SUFFIX)
    taken = [path for path in (private, public) if path.is_symlink() or path.exists()]
    if taken:
        raise ConfigError(*(f"{path}: exists and is never overwritten; choose another name" for path in taken))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private_key(private, key, passphrase=passphrase)
    atomic_write(public, key.public.pem().encode("ascii"))
    return private, public


def key_name(text: str) -> str:
    """A name that a key can be filed under.

    Raises:
        ConfigError: it is none.
    """
    try:
        return parse_id(text)
    except ValueError as error:
        raise ConfigError(f"key name: {error}") from error


def write_private_key(path: Path, key: PrivateKey, *, passphrase: bytes | None = None) -> None:
    """PKCS#8 PEM is at `path`, complete and readable by its owner alone from its first moment.

    Raises:
        ConfigError: something is there already; it is not touched.
    """
    data = key._secret.pem(passphrase)  # noqa: SLF001  of this module's own class
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it fails where another process has put a key between any check of ours and now.
        os.link(temporary, path)
    except FileExistsError as error:
        raise ConfigError(f"{path}: exists and is never overwritten; choose another name") from error
    finally:
        temporary.unlink()
    sync_directory(path.parent)


def load_private_key(path: Path, *, passphrase: bytes | None = None) -> PrivateKey:
    """The Ed25519 key in a PKCS#8 PEM file that only its owner can read.

    Raises:
        TrustError: step `keys`; others can read or write the file, or another user owns it.
        ConfigError: there is no such file, it is not such a key, or the passphrase is missing or wrong.
    """
    data = _read_private(path)
    try:
        return PrivateKey(Secret.from_pem(data, passphrase))
    except PassphraseError as error:
        hint = "give --passphrase-file" if passphrase is None else "it has no passphrase: leave --passphrase-file out"
        raise ConfigError(f"{path}: {error}; {hint}") from error
    except TypeError as error:
        raise ConfigError(
            f"{path}: an Ed25519 key is needed; make one with: assess-registry keys new NAME --role ROLE"
        ) from error
    except ValueError as error:
        why = "not a PKCS#8 PEM private key" if passphrase is None else "wrong passphrase, or not a private key"
        raise ConfigError(f"{path}: {why}") from error


def _read_private(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO must not hold us before fstat has seen it
    except OSError as error:
        raise ConfigError(f"{path}: the private key cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        # Status of the open file, not of the path: what is checked is what is read.
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_PEM_BYTES:
            raise ConfigError(f"{path}: a private key is a regular file of at most {MAX_PEM_BYTES} bytes")
        if status.st_mode & 0o077 or status.st_uid not in (os.geteuid(), 0):
            raise TrustError(
                "a private key that others can read is no longer private",
                step="keys",
                thing=str(path),
                expected=f"mode 0600, owner uid {os.geteuid()}",
                got=f"mode {stat.S_IMODE(status.st_mode):04o}, owner uid {status.st_uid}",
                next_step=f"if nobody can have read it: chmod 600 {path}; otherwise make a new key",
            )
        return file.read(MAX_PEM_BYTES)

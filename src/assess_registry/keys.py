r"""Ed25519 keys: a `PublicKey` that exists is a safe one, a private key file that others can read is not used.

A key's id is the SHA-256 of its 32 raw bytes, always derived and never read from anywhere, so one key cannot pass for
two. `NAME.key` is PKCS#8 PEM, `NAME.pub` is SubjectPublicKeyInfo PEM, as OpenSSL reads and writes them:

    openssl pkeyutl -verify -pubin -inkey acme.pub -rawin -in x.whl -sigfile <(base64 -d x.whl.sig)

This is the only file that imports `cryptography`.
"""

import base64
import binascii
import hashlib
import os
import pwd
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NewType, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from assess_registry.errors import ConfigError, Issue, RegistryError, TrustError
from assess_registry.files import atomic_write, read_bounded, sync_directory
from assess_registry.names import parse_id

KeyId = NewType("KeyId", str)
"""`sha256:` and the hexadecimal SHA-256 of the raw public key."""

KEY_SUFFIX, PUBLIC_SUFFIX = ".key", ".pub"
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64

MAX_PEM_BYTES = 4096
"""An encrypted Ed25519 key is about 320 bytes; anything near this is not one."""

MAX_TRUSTED_KEYS = 1000
"""A signature names no key, so each is tried at 65 us: more than this is a mistake."""

_P = 2**255 - 19
"""The field's prime (RFC 8032, 5.1)."""

_D = -121665 * pow(121666, -1, _P) % _P
"""The curve's constant d (RFC 8032, 5.1)."""

_SMALL_ORDER_Y = frozenset(
    (
        0,
        1,
        _P - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    )
)
"""The y of all eight points of small order. Under such a key one forged signature fits every message, and neither
OpenSSL nor cryptography refuses it."""

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
        if len(self.raw) != PUBLIC_KEY_BYTES:
            raise ValueError(f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, this one {len(self.raw)}")
        y = int.from_bytes(self.raw, "little") & (2**255 - 1)
        if y >= _P:
            raise ValueError("not the canonical encoding of a point: y is not below 2^255-19 (RFC 8032, 5.1.3)")
        if y in _SMALL_ORDER_Y:
            raise ValueError("a point of small order: one forged signature would fit every message")
        if not _on_curve(y):
            raise ValueError("not a point of the curve (RFC 8032, 5.1.3)")

    @property
    def id(self) -> KeyId:
        """Derived from the key itself."""
        return KeyId("sha256:" + hashlib.sha256(self.raw).hexdigest())

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made the signature over exactly these bytes."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> str:
        """SubjectPublicKeyInfo, the one spelling that `parse_public_key` accepts."""
        body = base64.b64encode(_SPKI_PREFIX + self.raw).decode("ascii")
        return f"{_PEM_BEGIN}\n{body}\n{_PEM_END}\n"


class PrivateKey:
    """A key that signs. Its bytes are in no attribute, no `repr` and no pickle of ours."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"PrivateKey(public={self.public.id!r})"

    def __reduce__(self) -> str:
        raise TypeError("a private key is written by write_private_key only")

    def sign(self, data: bytes) -> bytes:
        """64 bytes; the same for the same data (RFC 8032 is deterministic)."""
        return self._key.sign(data)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustedKey:
    """A public key and the name it was filed under; the name is for people and decides nothing."""

    name: str
    key: PublicKey


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The keys whose signatures count, each once.

    Raises:
        ValueError: one key is in it twice.
    """

    keys: tuple[TrustedKey, ...]

    def __post_init__(self) -> None:
        if len({trusted.key.raw for trusted in self.keys}) != len(self.keys):
            raise ValueError("one key stands under two names")

    @classmethod
    def of(cls, *keys: PublicKey) -> Self:
        """Trust these, named by their ids."""
        return cls(tuple(TrustedKey(name=key.id, key=key) for key in keys))

    def __iter__(self) -> Iterator[TrustedKey]:
        return iter(self.keys)

    def signer(self, signature: bytes, data: bytes) -> TrustedKey | None:
        """The key that made this signature, or None. A bare signature names no key, so each is tried."""
        return next((trusted for trusted in self.keys if trusted.key.verifies(signature, data)), None)

    def describe(self) -> str:
        """Names and short ids, for messages."""
        return ", ".join(f"{trusted.name} ({trusted.key.id[:19]}…)" for trusted in self.keys) or "none"


def generate_key() -> PrivateKey:
    """A new key from the operating system's randomness."""
    return PrivateKey(Ed25519PrivateKey.generate())


def parse_public_key(text: str) -> PublicKey:
    """The key in a SubjectPublicKeyInfo PEM, in the one spelling OpenSSL writes.

    Raises:
        ValueError: other framing, another algorithm, a wrong length, base64 that is not canonical, or an unsafe point.
    """
    lines = text.strip().splitlines()
    if len(lines) != 3 or lines[0] != _PEM_BEGIN or lines[2] != _PEM_END:
        raise ValueError(f"expected {_PEM_BEGIN}, one line of base64 and {_PEM_END}")
    try:
        der = base64.b64decode(lines[1], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {error}") from error
    if base64.b64encode(der).decode("ascii") != lines[1]:
        raise ValueError("not canonical base64: the same key must not have two spellings")
    if not der.startswith(_SPKI_PREFIX):
        raise ValueError("not an Ed25519 public key (RFC 8410)")
    return PublicKey(der[len(_SPKI_PREFIX) :])


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


def load_trusted_keys(directory: Path) -> TrustedKeys:
    """Every `*.pub` of a directory, in the order of their names.

    Raises:
        ConfigError: there is no such directory, or no key in it.
        TrustError: step `keys`; somebody else can change the directory or a file, a file is not a safe key, or one key
            is filed under two names. Lists all of them.
    """
    try:
        _check_guarded(directory)
        paths = sorted(path for path in directory.iterdir() if path.suffix == PUBLIC_SUFFIX)
    except OSError as error:
        raise ConfigError(f"{directory}: trusted keys cannot be read: {error.strerror}") from error
    if not paths or len(paths) > MAX_TRUSTED_KEYS:
        raise ConfigError(f"{directory}: expected 1 to {MAX_TRUSTED_KEYS} trusted keys (*.pub), found {len(paths)}")
    issues: list[Issue] = []
    found: dict[bytes, TrustedKey] = {}
    for path in paths:
        _check_guarded(path)
        try:
            trusted = TrustedKey(name=path.stem, key=load_public_key(path))
        except (TrustError, OSError) as error:
            message = str(error.__cause__ or error)
            issues.append(Issue(id="key-unusable", entry=path.name, message=message, rule="RFC 8032, RFC 8410"))
            continue
        first = found.setdefault(trusted.key.raw, trusted)
        if first is not trusted:
            message = f"the same key as {first.name}{PUBLIC_SUFFIX}"
            issues.append(Issue(id="key-duplicate", entry=path.name, message=message, rule="assess: one file a key"))
    if issues:
        next_step = "remove or replace the files named; trust nothing signed by them until their owners confirm"
        message = "trusted keys are not usable"
        raise TrustError(message, step="keys", thing=str(directory), next_step=next_step, issues=tuple(issues))
    return TrustedKeys(tuple(found.values()))


def _check_guarded(path: Path) -> None:
    """Whoever can write here decides what is trusted: that is this user or root, and nobody else.

    Raises:
        TrustError: step `keys`; others can write to it, or another user owns it.
        OSError: it is not there or may not be looked at.
    """
    status = path.stat()
    foreign = status.st_uid not in (os.geteuid(), 0)
    if not foreign and not status.st_mode & 0o022:
        return
    commands = [f"chown {_owner_name(os.geteuid())} {path}"] if foreign else []
    commands += [f"chmod go-w {path}"] if status.st_mode & 0o022 else []
    raise TrustError(
        "others can change which keys are trusted",
        step="keys",
        thing=str(path),
        expected=f"owner uid {os.geteuid()} or 0, writable by nobody else",
        got=f"owner uid {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}",
        next_step=f"if every key in it is one that you trust: {' && '.join(commands)}",
    )


def _owner_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # as in many containers
        return str(uid)


def write_key_pair(
    directory: Path, name: str, key: PrivateKey, *, passphrase: bytes | None = None
) -> tuple[Path, Path]:
    """`NAME.key` and `NAME.pub` are in the directory, which is made for its owner alone if absent.

    Raises:
        ConfigError: the name is not one, or either file exists; neither is changed.
    """
    try:
        parse_id(name)
    except ValueError as error:
        raise ConfigError(f"key name: {error}") from error
    private, public = directory / (name + KEY_SUFFIX), directory / (name + PUBLIC_SUFFIX)
    taken = [path for path in (private, public) if path.is_symlink() or path.exists()]
    if taken:
        raise ConfigError(*(f"{path}: exists and is never overwritten; choose another name" for path in taken))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private_key(private, key, passphrase=passphrase)
    atomic_write(public, key.public.pem().encode("ascii"))
    return private, public


def write_private_key(path: Path, key: PrivateKey, *, passphrase: bytes | None = None) -> None:
    """PKCS#8 PEM is at `path`, complete and readable by its owner alone from its first moment.

    Raises:
        ConfigError: something is there already; it is not touched.
    """
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    data = key._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)  # noqa: SLF001  same module
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
        key = load_pem_private_key(data, password=passphrase)
    except TypeError as error:  # cryptography's word for: a passphrase is missing, or was given for a plain key
        hint = "give --passphrase-file" if passphrase is None else "it has no passphrase: leave --passphrase-file out"
        raise ConfigError(f"{path}: {error}; {hint}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        why = "not a PKCS#8 PEM private key" if passphrase is None else "wrong passphrase, or not a private key"
        raise ConfigError(f"{path}: {why}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: an Ed25519 key is needed; make one with: assess-registry keys new NAME")
    return PrivateKey(key)


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


def _on_curve(y: int) -> bool:
    """Whether some x has -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032, 5.1.3), by Euler's criterion."""
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    return x_squared == 0 or pow(x_squared, (_P - 1) // 2, _P) == 1

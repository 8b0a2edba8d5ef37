"""A person's or a machine's own keys: `DIRECTORY/ROLE/NAME.key` and `.pub`, each key in one role and there once.

Which folder a key lies in is what it is for. A ring in which one key lies twice, or a public key is not safe, is
refused as a whole: whatever was signed with that key may have been meant as something else.

    ring = KeyRing(Path("keys"))
    ring.create("reviewer", "alice", passphrase=b"...")
    ring.load("reviewer", "alice", passphrase=b"...").sign(data)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assess_registry.errors import ConfigError, Issue, TrustError
from assess_registry.files import atomic_write, file_lock
from assess_registry.keys.guard import check_guarded
from assess_registry.keys.private import (
    KEY_SUFFIX,
    PrivateKey,
    generate_key,
    key_name,
    load_private_key,
    write_key_pair,
)
from assess_registry.keys.public import PUBLIC_SUFFIX, PublicKey, load_public_key
from assess_registry.keys.roles import ROLES, Role

LOCK_FILE = ".lock"
LOCK_TIMEOUT_S = 10.0

MAX_RING_KEYS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class RingKey:
    """One key of a ring.

    Attributes:
        private: its `.key` file; None where only the public half is here.
    """

    role: Role
    name: str
    key: PublicKey
    private: Path | None

    def __str__(self) -> str:
        return f"{self.role} {self.name}"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys in a directory; it need not exist before the first is made."""

    directory: Path

    def entries(self) -> tuple[RingKey, ...]:
        """All of them, by role and name.

        Raises:
            TrustError: step `keys`; somebody else can change the directory, a public key is not safe, or one key lies
                in it twice. Lists all of them.
            OSError: the directory cannot be read.
        """
        issues: list[Issue] = []
        found: dict[bytes, RingKey] = {}
        for role, path in self._paths():
            entry = f"{role}/{path.name}"
            try:
                key = load_public_key(path)
            except TrustError as error:
                issues.append(_issue("key-unusable", entry, str(error.__cause__ or error)))
                continue
            private = path.with_suffix(KEY_SUFFIX)
            one = RingKey(role=role, name=path.stem, key=key, private=private if private.is_file() else None)
            first = found.setdefault(key.raw, one)
            if first is not one:
                issues.append(_issue("key-duplicate", entry, f"the same key as {first.role}/{first.name}"))
        if issues:
            raise TrustError(
                "its keys are not usable",
                step="keys",
                thing=str(self.directory),
                next_step="remove the files named, and revoke a key that was used in two roles",
                issues=tuple(issues),
            )
        return tuple(found.values())

    def of_role(self, role: Role) -> tuple[RingKey, ...]:
        """Those of one role, by name."""
        return tuple(each for each in self.entries() if each.role == role)

    def create(self, role: Role, name: str, *, passphrase: bytes | None) -> RingKey:
        """A new key is in the ring; without a passphrase its file protects it by its mode alone.

        Raises:
            ConfigError: the name is none, or taken in this role.
            TrustError: the ring is not usable as it is.
        """
        return self.take(role, name, generate_key(), passphrase=passphrase)

    def take(self, role: Role, name: str, key: PrivateKey, *, passphrase: bytes | None) -> RingKey:
        """As `create`, with a key that was made elsewhere.

        Raises:
            ConfigError, TrustError: as `create`; step `keys` also when the key is in the ring already.
        """
        place = self._place(role)
        with file_lock(self.directory / LOCK_FILE, timeout_s=LOCK_TIMEOUT_S):
            self._require_new(role, name, key.public)
            private, _ = write_key_pair(place, name, key, passphrase=passphrase)
        return RingKey(role=role, name=name, key=key.public, private=private)

    def add_public(self, role: Role, name: str, key: PublicKey) -> RingKey:
        """The public half of somebody else's key is in the ring.

        Raises:
            ConfigError: the name is none, or taken in this role.
            TrustError: step `keys`; the key is in the ring already, in this role or another.
        """
        place = self._place(role)
        with file_lock(self.directory / LOCK_FILE, timeout_s=LOCK_TIMEOUT_S):
            self._require_new(role, name, key)
            path = place / (key_name(name) + PUBLIC_SUFFIX)
            if path.is_symlink() or path.exists():
                raise ConfigError(f"{path}: exists and is never overwritten; choose another name")
            place.mkdir(mode=0o700, exist_ok=True)
            atomic_write(path, key.pem().encode("ascii"))
        return RingKey(role=role, name=name, key=key, private=None)

    def load(self, role: Role, name: str, *, passphrase: bytes | None = None) -> PrivateKey:
        """The private key of this role and name.

        Raises:
            ConfigError: there is none, or the passphrase is missing or wrong.
            TrustError: step `keys`; the ring is not usable, others can read the file, or it is not the key that its
                `.pub` says.
        """
        one = next((each for each in self.of_role(role) if each.name == name), None)
        if one is None or one.private is None:
            raise ConfigError(
                f"{self.directory}: no private key {name!r} of role {role}; "
                f"make one with: assess-registry keys new {name} --role {role}"
            )
        key = load_private_key(one.private, passphrase=passphrase)
        if key.public != one.key:
            raise TrustError(
                "the private key is not the one that its .pub file says",
                step="keys",
                thing=str(one.private),
                expected=one.key.id,
                got=key.public.id,
                next_step="find out who changed one of the two; until then, use neither",
            )
        return key

    def _place(self, role: Role) -> Path:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.directory / role

    def _require_new(self, role: Role, name: str, key: PublicKey) -> None:
        other = next((each for each in self.entries() if each.key == key), None)
        if other is not None:
            raise TrustError(
                f"the key is here already, as {other}",
                step="keys",
                thing=f"{role} {name}",
                expected="a key of its own for every role and name",
                got=key.id,
                next_step=f"make another with: assess-registry keys new NAME --role {role}",
            )

    def _paths(self) -> Iterator[tuple[Role, Path]]:
        if not self.directory.is_dir():
            return
        check_guarded(self.directory)
        found = 0
        for role in ROLES:
            place = self.directory / role
            if not place.is_dir():
                continue
            check_guarded(place)
            for path in sorted(path for path in place.iterdir() if path.suffix == PUBLIC_SUFFIX):
                found += 1
                if found > MAX_RING_KEYS:
                    raise ConfigError(f"{self.directory}: expected at most {MAX_RING_KEYS} keys")
                check_guarded(path)
                yield role, path


def _issue(kind: str, entry: str, message: str) -> Issue:
    return Issue(id=kind, entry=entry, message=message, rule="assess: one key, one role, one file")

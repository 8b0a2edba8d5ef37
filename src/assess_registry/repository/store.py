"""The registry's word on disk: read as verified, changed in one transaction with the timestamp last.

    repository = Repository.load(root)
    repository.commit({"catalog/acme-demo.json": page}, release_keys=[key], online_key=online, now=now)

A commit writes, each file whole or not at all, in this order:

1. target files, under their hash;
2. bins that changed;
3. targets, if control files or the keys of bins changed;
4. snapshot;
5. timestamp, which replaces the one before: from this moment readers see the new state, and before it the old.

No file but the timestamp is ever written over: where a killed commit left a version behind, the next one takes the
next free number. The same call again therefore finishes the work, and `collect` removes what nobody names.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from assess_registry.errors import ConfigError
from assess_registry.files import atomic_write, file_lock
from assess_registry.keys import PrivateKey, PublicKey
from assess_registry.repository.keys import check_root, tuf_key_id
from assess_registry.repository.roles import (
    BINS,
    Expiry,
    Signers,
    bins_of,
    delegations,
    metadata_name,
    new_root,
    new_snapshot,
    new_timestamp,
    role_of_target,
    serialise,
    signed_by,
    target_file,
    target_name,
)
from assess_registry.repository.state import METADATA, State, read_roots, read_state, read_target
from assess_registry.repository.tuf_api import Root, TargetFile, Targets

LOCK_NAME = ".metadata.lock"
LOCK_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitReport:
    """What a commit did.

    Attributes:
        written: files, relative to the root, in the order in which they were written; empty if nothing had to change.
        version: of the timestamp that is current now.
    """

    written: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class Repository:
    """The signing side of a registry. It holds no state: every call reads what is on disk."""

    place: Path

    @classmethod
    def load(cls, place: Path) -> "Repository":
        """The repository at this root.

        Raises:
            ConfigError: it has no root metadata.
            TrustError: it is not signed as it has to be.
        """
        read_state(place)
        return cls(place)

    def read(self, path: str) -> bytes | None:
        """The current bytes of a target, verified from the root down; None if there is no such target.

        Raises:
            ValueError: neither `control/NAME.json` nor `catalog/PROJECT.json`.
            TrustError: not what was signed.
        """
        listed = read_state(self.place).listed(path)
        return None if listed is None else read_target(self.place, listed)

    def paths(self) -> tuple[str, ...]:
        """Every target, in order."""
        state = read_state(self.place)
        return tuple(sorted(path for role in state.roles() for path in state.role(role).targets))

    def commit(
        self,
        targets: Mapping[str, bytes | None],
        *,
        release_keys: Sequence[PrivateKey],
        online_key: PrivateKey,
        now: datetime,
        expiry: Expiry | None = None,
        bins: int = BINS,
    ) -> CommitReport:
        """These targets are current, all at once; readers see the state before or the one after, whatever kills us.

        Args:
            targets: path -> its new bytes, or None to take it out. What is not named stays.
            release_keys: as many as the threshold of targets asks for.
            online_key: signs snapshot and timestamp.
            now: from which expiry counts.
            expiry: for how long each role is signed.
            bins: into how many hash bins catalogue pages go; decided by the first commit, not looked at afterwards.

        Raises:
            ConfigError: a key has no role here, or too few were given; there is no root metadata.
            TrustError: what is on disk is not signed as it has to be; nothing was signed on top of it.
            ValueError: a path is no target's.
            OSError: nothing more could be written; the old state is still current.
        """
        with self.locked():
            state = read_state(self.place)
            draft = Draft(
                state,
                release_keys=release_keys,
                online_keys=[online_key],
                now=now,
                expiry=expiry or Expiry(),
                bins=bins,
            )
            draft.change(targets)
            return self.write(draft)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Inside, nobody else changes the metadata."""
        with file_lock(self.place / LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
            yield

    def write(self, draft: "Draft") -> CommitReport:
        """What was drafted is on disk, the timestamp last. Only inside `locked`."""
        files = draft.files()
        for directory in sorted({(self.place / name).parent for name in files}):
            directory.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            atomic_write(self.place / name, data)
        return CommitReport(written=tuple(files), version=draft.version)


@dataclass(slots=True)
class Draft:
    """A commit in the making: what has to be signed and written, nothing of it on disk yet."""

    state: State
    release_keys: Sequence[PrivateKey]
    online_keys: Sequence[PrivateKey]
    now: datetime
    expiry: Expiry
    bins: int = BINS
    roles: dict[str, Targets] = field(default_factory=dict)
    target_files: dict[str, bytes] = field(default_factory=dict)
    renewed: bool = False

    def __post_init__(self) -> None:
        current = self.state.current
        if current is None:
            first = Targets(expires=self.now, delegations=delegations(self.state.root, self.bins))
            self.roles["targets"] = first
            self.roles |= {name: Targets(expires=self.now) for name in bins_of(first).get_roles()}

    def role(self, name: str) -> Targets:
        """The role as it will be."""
        return self.roles.get(name) or self.state.role(name)

    def change(self, targets: Mapping[str, bytes | None]) -> None:
        """Put these in, take those out that are None; what is as it was stays untouched."""
        bins = bins_of(self.role("targets"))
        for path, data in sorted(targets.items()):
            name = role_of_target(path, bins)
            role = self.role(name)
            wanted = None if data is None else target_file(path, data)
            if wanted is not None and data is not None:
                self._place(wanted, data)
            if role.targets.get(path) == wanted:
                continue
            self.roles[name] = role
            if wanted is None:
                del role.targets[path]
            else:
                role.targets[path] = wanted

    def _place(self, target: TargetFile, data: bytes) -> None:
        path = self.state.place / target_name(target)
        # Also where the metadata did not change: a file that got lost or was altered is put back.
        if not path.is_file() or path.stat().st_size > len(data) or path.read_bytes() != data:
            self.target_files[target_name(target)] = data

    @property
    def version(self) -> int:
        """Of the timestamp that will be current."""
        before = self.state.current.timestamp.signed.version if self.state.current else 0
        return before + (1 if self.roles or self.renewed else 0)

    def files(self) -> dict[str, bytes]:
        """Every file to write, in the order to write them in.

        Raises:
            ConfigError: a key that is needed was not given.
        """
        files = dict(self.target_files)
        if not self.roles and not self.renewed:
            return files
        current = self.state.current
        versions = current.versions() if current else {}
        signers = self._release_signers() if self.roles else []
        # Bins before targets: nothing names a file that is not there yet.
        targets_data = b""
        for name in sorted(self.roles, key=lambda name: (name == "targets", name)):
            role = self.roles[name]
            role.version = self._free_version(name, versions.get(name, 0))
            role.expires = self.expiry.until(name, self.now)
            data = serialise(signed_by(role, signers))
            versions[name] = role.version
            files[self._path(name, role.version)] = data
            targets_data = data if name == "targets" else targets_data
        if not targets_data:
            targets_data = (self.state.place / self._path("targets", versions["targets"])).read_bytes()
        return files | self._online_files(versions, targets_data)

    def _online_files(self, versions: Mapping[str, int], targets_data: bytes) -> dict[str, bytes]:
        signers = self._online_signers()
        current = self.state.current
        version = self._free_version("snapshot", current.snapshot.signed.version if current else 0)
        expires = self.expiry.until("snapshot", self.now)
        snapshot = new_snapshot(versions, targets=targets_data, version=version, expires=expires)
        snapshot_data = serialise(signed_by(snapshot, signers))
        expires = self.expiry.until("timestamp", self.now)
        timestamp = new_timestamp(snapshot_data, snapshot_version=version, version=self.version, expires=expires)
        return {
            self._path("snapshot", version): snapshot_data,
            self._path("timestamp", self.version): serialise(signed_by(timestamp, signers)),
        }

    def _free_version(self, role: str, before: int) -> int:
        version = before + 1
        while (self.state.place / self._path(role, version)).exists():
            version += 1
        return version

    @staticmethod
    def _path(role: str, version: int) -> str:
        return f"{METADATA}/{metadata_name(role, version)}"

    def _release_signers(self) -> list[PrivateKey]:
        return chosen(self.release_keys, self.state.root, "targets", "--release-key")

    def _online_signers(self) -> list[PrivateKey]:
        return chosen(self.online_keys, self.state.root, "timestamp", "--online-key")


def chosen(keys: Sequence[PrivateKey], root: Root, role: str, option: str) -> list[PrivateKey]:
    """These keys, each once, if all of them have this role and there are enough.

    Raises:
        ConfigError: they are not, or there are not.
    """
    wanted = root.roles[role]
    by_id = {tuf_key_id(key.public): key for key in keys}
    strange = [key.public.id for keyid, key in by_id.items() if keyid not in wanted.keyids]
    where = f"role {role} in {metadata_name('root', root.version)}"
    problems = [f"{option}: {each} is no key of {where}" for each in strange]
    usable = [key for keyid, key in by_id.items() if keyid in wanted.keyids]
    if len(usable) < wanted.threshold:
        names = ", ".join(f"sha256:{each[:12]}…" for each in wanted.keyids)
        problems.append(f"{option}: {wanted.threshold} of {names} have to sign, {len(usable)} of them given")
    if problems:
        raise ConfigError(*problems)
    return usable


def create_repository(
    place: Path,
    *,
    root_keys: Sequence[PrivateKey],
    root_threshold: int,
    release_keys: Sequence[PrivateKey],
    online_key: PrivateKey,
    now: datetime,
    expiry: Expiry | None = None,
    bins: int = BINS,
    release_threshold: int = 1,
) -> Repository:
    """A repository is at `place`, empty and signed, by keys that are all at hand: for development and for tests.

    Where it was begun before with the same keys, it is finished; a complete one is left as it is.

    Raises:
        ConfigError: another repository is there already.
        TrustError: step `keys`; a key is in two roles, or a threshold cannot be met.
    """
    expiry = expiry or Expiry()
    signers = Signers(
        root_keys=_public(root_keys),
        root_threshold=root_threshold,
        release_keys=_public(release_keys),
        release_threshold=release_threshold,
        online_keys=(online_key.public,),
    )
    root = new_root(signers, version=1, expires=expiry.until("root", now))
    name = f"{METADATA}/{metadata_name('root', 1)}"
    check_root(root, thing=name)
    repository = Repository(place)
    (place / METADATA).mkdir(parents=True, exist_ok=True)
    with repository.locked():
        existing = read_roots(place)
        if existing and not _same_signers(existing[0].signed, root):
            raise ConfigError(f"{place / name}: another registry is here already; choose another directory")
        if not existing:
            atomic_write(place / name, serialise(signed_by(root, list(root_keys))))
    if read_state(place).current is None:
        repository.commit({}, release_keys=release_keys, online_key=online_key, now=now, expiry=expiry, bins=bins)
    return repository


def _public(keys: Sequence[PrivateKey]) -> tuple[PublicKey, ...]:
    return tuple(key.public for key in keys)


def _same_signers(one: Root, other: Root) -> bool:
    return one.keys == other.keys and one.roles == other.roles

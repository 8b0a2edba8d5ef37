"""What a registry's metadata says now, read from disk and believed only as far as it is signed.

Who publishes extends what is there. If that were taken unseen, whoever can write to the disk would have it signed by
the release keys with the next release. So all that a commit builds on is verified first, as a client would:

1. the chain of roots, each by itself and by the one before, from version 1 on;
2. timestamp and snapshot by the online key, snapshot as the timestamp names it;
3. targets by the release keys, as the snapshot names it; its bins' keys as safe as the root's;
4. a bin, when it is needed, by the keys that targets delegates to, in the version that the snapshot names.

Expiry is not looked at: signing anew is how expired metadata becomes good again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import read_bounded
from assess_registry.names import ROLE_MEMBER
from assess_registry.repository.keys import check_root, check_targets
from assess_registry.repository.roles import bins_of, metadata_name, role_of_target, target_name
from assess_registry.repository.tuf_api import (
    DeserializationError,
    LengthOrHashMismatchError,
    Metadata,
    MetaFile,
    RepositoryError,
    Root,
    Snapshot,
    T,
    TargetFile,
    Targets,
    Timestamp,
)

METADATA = "metadata"
VERSIONED = re.compile(r"([1-9][0-9]*)\.([a-z0-9-]+)\.json")
"""A file of metadata other than the timestamp: its version and its role."""

MAX_METADATA_BYTES = 5_000_000
"""What python-tuf's client takes of targets metadata; a bin that outgrew it could no longer be read."""

MAX_TARGET_BYTES = 64 << 20
MAX_ROOTS = 1024
"""python-tuf's client follows 256 new roots in one refresh, and may do so several times."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Current:
    """What the timestamp names: verified, whole, one moment's word."""

    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]

    def versions(self) -> dict[str, int]:
        """Of targets and of every bin, by role."""
        return {name.removesuffix(".json"): meta.version for name, meta in self.snapshot.signed.meta.items()}

    def online_ends(self) -> dict[str, datetime]:
        """When what the online key signs ends, by role; what clients would miss first comes first."""
        return {"timestamp": self.timestamp.signed.expires, "snapshot": self.snapshot.signed.expires}


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A registry's metadata: its roots, oldest first, and what is current, None before the first commit."""

    place: Path
    roots: tuple[Metadata[Root], ...]
    current: Current | None

    @property
    def root(self) -> Root:
        """The newest."""
        return self.roots[-1].signed

    def role(self, name: str) -> Targets:
        """Targets or one bin, verified.

        Raises:
            TrustError: it is not what the snapshot names, or its keys did not sign it.
        """
        if self.current is None:
            raise ValueError("nothing was committed yet")
        if name == "targets":
            return self.current.targets.signed
        delegator = self.current.targets.signed
        metadata, _ = read_metadata(self.place, name, self.current.versions()[name], Targets)
        verify_role(delegator, name, metadata)
        check_says_role(metadata.signed, name)
        return metadata.signed

    def signed_for(self, root: Root, role: str) -> bool:
        """Whether current top-level metadata is signed as this root asks for."""
        if self.current is None:
            return False
        metadata = getattr(self.current, role)
        return bool(root.get_verification_result(role, metadata.signed_bytes, metadata.signatures))

    def listed(self, path: str) -> TargetFile | None:
        """The target of this path, if there is one.

        Raises:
            ValueError: the path is no target's.
            TrustError: as `role`.
        """
        if self.current is None:
            return None
        return self.role(role_of_target(path, bins_of(self.current.targets.signed))).targets.get(path)

    def roles(self) -> Iterator[str]:
        """Targets and every bin, by name."""
        if self.current is not None:
            yield "targets"
            yield from bins_of(self.current.targets.signed).get_roles()


def read_state(place: Path) -> State:
    """The metadata of the registry at `place`, verified.

    Raises:
        ConfigError: there is no root metadata yet.
        TrustError: something is not signed as it has to be.
        OSError: something cannot be read.
    """
    roots = read_roots(place)
    if not roots:
        missing = place / METADATA / metadata_name("root", 1)
        raise ConfigError(f"{missing}: no root metadata yet; begin with: assess-registry root init")
    return State(place=place, roots=roots, current=_read_current(place, roots[-1].signed))


def read_roots(place: Path) -> tuple[Metadata[Root], ...]:
    """The chain of roots, oldest first; empty where there is none.

    Raises:
        TrustError: one of them is not signed by itself and by the one before, or its keys are not safe.
    """
    roots: list[Metadata[Root]] = []
    while len(roots) < MAX_ROOTS and (place / METADATA / metadata_name("root", len(roots) + 1)).exists():
        metadata, _ = read_metadata(place, "root", len(roots) + 1, Root)
        check_root(metadata.signed, thing=_thing("root", len(roots) + 1))
        if roots:
            verify_role(roots[-1].signed, "root", metadata)
        verify_role(metadata.signed, "root", metadata)
        roots.append(metadata)
    return tuple(roots)


def read_metadata(place: Path, role: str, version: int | None, kind: type[T]) -> tuple[Metadata[T], bytes]:
    """Metadata from its file, and the file's bytes; nothing about it is verified but its version.

    Raises:
        TrustError: step `metadata`; it is missing, or not what its name says.
    """
    thing = _thing(role, version or 0)
    try:
        data = read_bounded(place / thing, MAX_METADATA_BYTES)
    except FileNotFoundError as error:
        raise _refused("metadata that other metadata names is missing", thing, "a file", "nothing") from error
    metadata = parse_metadata(data, kind, thing=thing)
    if version is not None and metadata.signed.version != version:
        raise _refused("another version than its name says", thing, str(version), str(metadata.signed.version))
    return metadata, data


def parse_metadata(data: bytes, kind: type[T], *, thing: str) -> Metadata[T]:
    """Metadata of this kind; nothing about it is verified.

    Raises:
        TrustError: step `metadata`; it is something else.
    """
    try:
        metadata: Metadata[Any] = Metadata.from_bytes(data)
    except DeserializationError as error:
        raise _refused("not TUF metadata", thing, kind.__name__, str(error.__cause__ or error)[:200]) from error
    if not isinstance(metadata.signed, kind):
        raise _refused("metadata of another kind", thing, kind.__name__, metadata.signed.type)
    return metadata


def read_target(place: Path, target: TargetFile) -> bytes:
    """The bytes of a listed target.

    Raises:
        TrustError: they are not those that were signed, or not there.
    """
    path = place / target_name(target)
    try:
        data = read_bounded(path, MAX_TARGET_BYTES)
    except (FileNotFoundError, ConfigError) as error:
        raise _refused("a signed file is missing", target_name(target), f"{target.length} bytes", str(error)) from error
    digest = sha256(data).hexdigest()
    if len(data) != target.length or digest != target.hashes.get("sha256"):
        raise _refused("not the bytes that were signed", target_name(target), target.hashes.get("sha256", ""), digest)
    return data


def _read_current(place: Path, root: Root) -> Current | None:
    if not (place / METADATA / metadata_name("timestamp", 0)).exists():
        _check_new(place)
        return None
    timestamp, _ = read_metadata(place, "timestamp", None, Timestamp)
    verify_role(root, "timestamp", timestamp)
    named = timestamp.signed.snapshot_meta
    snapshot, data = read_metadata(place, "snapshot", named.version, Snapshot)
    _matches(named, data, _thing("snapshot", named.version))
    verify_role(root, "snapshot", snapshot)
    named = snapshot.signed.meta["targets.json"]
    targets, data = read_metadata(place, "targets", named.version, Targets)
    _matches(named, data, _thing("targets", named.version))
    verify_role(root, "targets", targets)
    check_says_role(targets.signed, "targets")
    check_targets(targets.signed, root, thing=_thing("targets", named.version))
    expected = {"targets.json", *(f"{each}.json" for each in bins_of(targets.signed).get_roles())}
    if missing := sorted(expected - set(snapshot.signed.meta)):
        raise _refused("a bin is missing", _thing("snapshot", snapshot.signed.version), "every bin", missing[0])
    return Current(timestamp=timestamp, snapshot=snapshot, targets=targets)


def _check_new(place: Path) -> None:
    """There is no timestamp because there never was one: a killed first commit leaves first versions and no others.

    Raises:
        TrustError: it got lost. A commit that took that for a beginning would sign that nothing is published.
    """
    for path in (place / METADATA).iterdir():
        found = VERSIONED.fullmatch(path.name)
        if found and found[2] != "root" and int(found[1]) > 1:
            raise _refused("missing, though there were commits", _thing("timestamp", 0), "a file", f"only {path.name}")


def verify_role(delegator: Root | Targets, role: str, metadata: Metadata[Any]) -> None:
    """It is signed by whom the delegator asks for.

    Raises:
        TrustError: step `metadata`; it is not.
    """
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        thing = _thing(role, metadata.signed.version)
        keys = delegator.get_delegated_role(role)
        expected = f"{keys.threshold} of {', '.join(each[:16] + '…' for each in keys.keyids)}"
        raise _refused("not signed by the keys that have to", thing, expected, str(error)) from error


def check_says_role(targets: Targets, role: str) -> None:
    """It is this role's: the same keys sign all bins, so that any of them could lie here in place of any other."""
    said = targets.unrecognized_fields.get(ROLE_MEMBER)
    if said != role:
        raise _refused("another role's document", _thing(role, targets.version), f"{ROLE_MEMBER} {role}", str(said))


def _matches(named: MetaFile, data: bytes, thing: str) -> None:
    try:
        named.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as error:
        raise _refused("not the bytes that other metadata names", thing, "length and hash named", str(error)) from error


def _thing(role: str, version: int) -> str:
    return f"{METADATA}/{metadata_name(role, version)}"


def _refused(message: str, thing: str, expected: str, got: str) -> TrustError:
    return TrustError(
        message,
        step="metadata",
        thing=thing,
        expected=expected,
        got=got,
        next_step="sign nothing; find out who changed it, and restore the registry from a backup",
    )

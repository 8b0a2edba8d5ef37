"""The five kinds of TUF metadata of a registry, made and serialised; nothing here touches a disk.

    root        2 of 3 by default, offline     who the others are
    targets     release keys                   `control/…` files, and the delegation to the bins
    bins-XX     release keys                   `catalog/…` pages, by hash of their path (TAP 15, succinct)
    snapshot    online key                     versions of targets and of every bin
    timestamp   online key                     which snapshot is current

Snapshot lists bins by version alone, and what the release keys sign says itself which role it is. A hash would show
less, and make the snapshot four times as large, which clients fetch after every publish (docs/adr/0009-metadata.md).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from assess_registry.config import Expiry
from assess_registry.errors import TrustError
from assess_registry.keys import PrivateKey, PublicKey
from assess_registry.names import ROLE_MEMBER
from assess_registry.repository.keys import ONLINE_ROLES, KeySigner, to_tuf_key, tuf_key_id
from assess_registry.repository.tuf_api import (
    Delegations,
    JSONSerializer,
    Key,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    SuccinctRoles,
    T,
    TargetFile,
    Targets,
    Timestamp,
)

BINS = 256
"""Measured: docs/benchmarks.md, `python -m bench refresh`."""

MAX_BINS = 1 << 16
BIN_PREFIX = "bins"

_CONTROL, _CATALOG = "control", "catalog"
_TARGET_PATH = re.compile(rf"(?:{_CONTROL}|{_CATALOG})/[a-z0-9](?:[a-z0-9-]{{0,213}}[a-z0-9])?\.json")
_COMPACT = JSONSerializer(compact=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signers:
    """Who may sign what: the keys and thresholds of a root."""

    root_keys: tuple[PublicKey, ...]
    root_threshold: int
    release_keys: tuple[PublicKey, ...]
    release_threshold: int = 1
    online_keys: tuple[PublicKey, ...]


def days(expiry: Expiry, role: str) -> int:
    """How long metadata of this role is good, by the role's name; every bin is a bin."""
    known = {
        "root": expiry.root_d,
        "targets": expiry.targets_d,
        "snapshot": expiry.snapshot_d,
        "timestamp": expiry.timestamp_d,
    }
    return known.get(role, expiry.bins_d)


def until(expiry: Expiry, role: str, now: datetime) -> datetime:
    """When metadata of this role that is signed now ends, in whole seconds UTC.

    Raises:
        ValueError: `now` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("a time without a zone")
    return now.astimezone(UTC).replace(microsecond=0) + timedelta(days=days(expiry, role))


def new_root(signers: Signers, *, version: int, expires: datetime) -> Root:
    """A root that names these; whether they are fit is for `check_root`.

    Raises:
        TrustError: step `keys`; a role was given one key twice.
    """
    for role, given in (
        ("root", signers.root_keys),
        ("release", signers.release_keys),
        ("online", signers.online_keys),
    ):
        if len({key.raw for key in given}) != len(given):
            raise TrustError(
                "one key twice",
                step="keys",
                thing=f"{role} keys",
                expected=f"{len(given)} keys",
                got=", ".join(key.id for key in given),
                next_step="name each key once: a threshold counts people",
            )
    online = [tuf_key_id(key) for key in signers.online_keys]
    roles = {
        "root": Role([tuf_key_id(key) for key in signers.root_keys], signers.root_threshold),
        "targets": Role([tuf_key_id(key) for key in signers.release_keys], signers.release_threshold),
        **{name: Role(list(online), 1) for name in ONLINE_ROLES},
    }
    keys: dict[str, Key] = {tuf_key_id(key): to_tuf_key(key) for key in _every(signers)}
    return Root(version=version, expires=expires, keys=keys, roles=roles, consistent_snapshot=True)


def _every(signers: Signers) -> Iterable[PublicKey]:
    return (*signers.root_keys, *signers.release_keys, *signers.online_keys)


def new_targets(role: str, *, expires: datetime, delegations: Delegations | None = None) -> Targets:
    """An empty role of the release keys, targets or a bin, which says which one it is."""
    return Targets(expires=expires, delegations=delegations, unrecognized_fields={ROLE_MEMBER: role})


def delegations(root: Root, bins: int) -> Delegations:
    """To so many bins, signed by the keys that sign targets, with their threshold.

    Raises:
        ValueError: the number is no power of two from 2 to `MAX_BINS`.
    """
    if bins & (bins - 1) or not 2 <= bins <= MAX_BINS:
        raise ValueError(f"bins: expected a power of two from 2 to {MAX_BINS}, got {bins}")
    role = root.roles["targets"]
    succinct = SuccinctRoles(list(role.keyids), role.threshold, bins.bit_length() - 1, BIN_PREFIX)
    return Delegations({each: root.keys[each] for each in role.keyids}, succinct_roles=succinct)


def bins_of(targets: Targets) -> SuccinctRoles:
    """The bins it delegates to; only for targets that `check_targets` has passed."""
    found = targets.delegations.succinct_roles if targets.delegations else None
    if found is None:
        raise ValueError("targets metadata without succinct roles")
    return found


def role_of_target(path: str, bins: SuccinctRoles) -> str:
    """The role that lists this target: `targets` for control files, else the bin of its path's hash.

    Raises:
        ValueError: it is neither `control/NAME.json` nor `catalog/PROJECT.json`.
    """
    if not _TARGET_PATH.fullmatch(path):
        raise ValueError(f"target path: expected control/NAME.json or catalog/PROJECT.json, got {path[:120]!r}")
    return "targets" if path.startswith(_CONTROL + "/") else bins.get_role_for_target(path)


def target_file(path: str, data: bytes) -> TargetFile:
    """Length and SHA-256 of a target, under its path."""
    return TargetFile(len(data), {"sha256": sha256(data).hexdigest()}, path)


def target_name(target: TargetFile) -> str:
    """Where its bytes lie, relative to the root: `catalog/<sha256>.<project>.json` (TUF 6.2)."""
    directory, _, name = target.path.rpartition("/")
    return f"{directory}/{target.hashes['sha256']}.{name}"


def metadata_name(role: str, version: int) -> str:
    """The file in `metadata/`; a timestamp alone has no version in its name."""
    return "timestamp.json" if role == "timestamp" else f"{version}.{role}.json"


def signed_by(signed: T, keys: Sequence[PrivateKey]) -> Metadata[T]:
    """Metadata with one signature of each key, in the order of their ids: the same keys, the same bytes."""
    metadata = Metadata(signed)
    for key in sorted(keys, key=lambda key: key.public.id):
        metadata.sign(KeySigner(key), append=True)
    return metadata


def serialise(metadata: Metadata[T]) -> bytes:
    """Without white space: clients fetch it."""
    return metadata.to_bytes(_COMPACT)


def new_snapshot(versions: Mapping[str, int], *, targets: bytes, version: int, expires: datetime) -> Snapshot:
    """What is current: of each role its version, of targets also length and hash of its bytes."""
    meta = {f"{role}.json": MetaFile(number) for role, number in versions.items()}
    meta["targets.json"] = MetaFile(versions["targets"], len(targets), {"sha256": sha256(targets).hexdigest()})
    return Snapshot(version=version, expires=expires, meta=meta)


def new_timestamp(snapshot: bytes, *, snapshot_version: int, version: int, expires: datetime) -> Timestamp:
    """Names one snapshot by version, length and hash."""
    meta = MetaFile(snapshot_version, len(snapshot), {"sha256": sha256(snapshot).hexdigest()})
    return Timestamp(version=version, expires=expires, snapshot_meta=meta)

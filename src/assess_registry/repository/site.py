"""A site's own word over somebody else's targets: it can serve and hide, and never approve.

    root                 the site's keys; its targets role names the release keys of the registry that things come from
    targets, bins        that registry's own bytes, signed by its release keys
    snapshot, timestamp  the site's online key

So clients at a site that is reached rarely need no word of the registry that is a week old at most: the site says that
what it has is what there is. Nothing it serves counts without the registry's release keys, which it never holds. When
the registry changes its release keys, the site's root keys have to agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.config import CONFIG_NAME, Expiry
from assess_registry.errors import ConfigError
from assess_registry.keys import PrivateKey
from assess_registry.repository.keys import ONLINE_ROLES, check_root, keys_of, tuf_key_id
from assess_registry.repository.roles import (
    Signers,
    metadata_name,
    new_root,
    new_timestamp,
    serialise,
    signed_by,
    until,
)
from assess_registry.repository.state import METADATA, State, read_roots, read_state
from assess_registry.repository.tuf_api import Metadata, Root, Snapshot

KEEPING = ".import"
"""Directory of what a site remembers of the registry that its bundles come from."""


def is_site(place: Path) -> bool:
    """Whether bundles are imported there, and nobody publishes."""
    return (place / KEEPING).is_dir() and not (place / CONFIG_NAME).exists()


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteKeys:
    """What a site signs with.

    Attributes:
        online: signs snapshot and timestamp.
        root: the site's root keys; needed the first time, and when the registry's release keys have changed.
        root_threshold: how many of them a root needs; counts the first time.
    """

    online: PrivateKey
    root: Sequence[PrivateKey] = ()
    root_threshold: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteWord:
    """What the site says.

    Attributes:
        files: by name, in the order to write them in: snapshot, a new root if there is one, timestamp.
        root_version: of the root that it is signed under.
    """

    files: dict[str, bytes]
    root_version: int


def has_own_root(place: Path, upstream: State) -> bool:
    """Whether the metadata at `place` begins with another root than the registry's.

    Raises:
        TrustError: its roots are not signed as they have to be.
    """
    roots = read_roots(place) if (place / METADATA).is_dir() else ()
    return bool(roots) and roots[0].to_bytes() != upstream.roots[0].to_bytes()


def site_word(place: Path, upstream: State, keys: SiteKeys, *, now: datetime, expiry: Expiry) -> SiteWord:
    """The site's word over the registry's targets, signed, with nothing written yet.

    Raises:
        ConfigError: a key has no part in the site's root, or root keys are needed and not given.
        TrustError: the site's metadata is not signed as it has to be; step `keys`, one key in two roles.
    """
    if upstream.current is None:
        raise ValueError("a registry without a word")
    roots = read_roots(place) if (place / METADATA).is_dir() else ()
    root = _root(roots, upstream.root, keys, now, expiry)
    before = read_state(place).current if roots else None
    version = _free(place, "snapshot", before.snapshot.signed.version if before else 0)
    snapshot = Snapshot(
        version=version, expires=until(expiry, "snapshot", now), meta=upstream.current.snapshot.signed.meta
    )
    snapshot_data = serialise(signed_by(snapshot, [keys.online]))
    timestamp = new_timestamp(
        snapshot_data,
        snapshot_version=version,
        version=(before.timestamp.signed.version if before else 0) + 1,
        expires=until(expiry, "timestamp", now),
    )
    number = root.signed.version
    files = {_name("snapshot", version): snapshot_data}
    if number > len(roots):
        # Directly before the timestamp: who reads in between is refused once, and tries again.
        files[_name("root", number)] = serialise(root)
    files[_name("timestamp", 0)] = serialise(signed_by(timestamp, [keys.online]))
    return SiteWord(files=files, root_version=number)


def _root(
    roots: Sequence[Metadata[Root]], upstream: Root, keys: SiteKeys, now: datetime, expiry: Expiry
) -> Metadata[Root]:
    """The site's newest root, or the next where it has to be another."""
    newest = roots[-1].signed if roots else None
    if newest is not None and _fits(newest, upstream, keys) and not _is_old(newest, keys, now, expiry):
        return roots[-1]
    _require_root_keys(newest, keys)
    signers = Signers(
        root_keys=tuple(key.public for key in keys.root) if newest is None else keys_of(newest, "root"),
        root_threshold=keys.root_threshold if newest is None else newest.roles["root"].threshold,
        release_keys=keys_of(upstream, "targets"),
        release_threshold=upstream.roles["targets"].threshold,
        online_keys=(keys.online.public,),
    )
    made = new_root(signers, version=len(roots) + 1, expires=until(expiry, "root", now))
    check_root(made, thing=_name("root", made.version))
    return signed_by(made, keys.root)


def _fits(newest: Root, upstream: Root, keys: SiteKeys) -> bool:
    """Whether the site's root names the registry's release keys, and the online key that is given."""
    ours, theirs = newest.roles["targets"], upstream.roles["targets"]
    online = {each for role in ONLINE_ROLES for each in newest.roles[role].keyids}
    same = (ours.keyids, ours.threshold) == (theirs.keyids, theirs.threshold)
    return same and online == {tuf_key_id(keys.online.public)}


def _is_old(newest: Root, keys: SiteKeys, now: datetime, expiry: Expiry) -> bool:
    """Whether it is past half of its time, and can be renewed."""
    return bool(keys.root) and (newest.expires - now).days < expiry.root_d // 2


def _require_root_keys(newest: Root | None, keys: SiteKeys) -> None:
    given = {tuf_key_id(key.public) for key in keys.root}
    if newest is None:
        wanted, threshold = given, keys.root_threshold
        why = "a site's first root has to be signed"
    else:
        wanted, threshold = set(newest.roles["root"].keyids), newest.roles["root"].threshold
        why = "the registry's release keys, or the site's online key, are others than the site's root names"
    if len(given & wanted) < max(threshold, 1) or given - wanted:
        names = ", ".join(f"{each[:12]}…" for each in sorted(wanted)) or "its keys"
        raise ConfigError(f"--site-root-key: {why}, by {threshold} of {names}; {len(given & wanted)} of them given")


def _free(place: Path, role: str, before: int) -> int:
    version = before + 1
    while (place / _name(role, version)).exists():  # of a killed import; whoever saw it must not see other bytes there
        version += 1
    return version


def _name(role: str, version: int) -> str:
    return f"{METADATA}/{metadata_name(role, version)}"

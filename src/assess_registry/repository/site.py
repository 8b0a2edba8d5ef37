"""A site's own word over somebody else's targets: it can serve and hide, and never approve.

    root                 the site's keys; its targets role names the release keys of the registry that things come from,
                         and it holds the roots of that registry, by which clients see that it does
    targets, bins        that registry's own bytes, signed by its release keys
    snapshot, timestamp  the site's online key

So clients at a site that is reached rarely need no word of the registry that is a week old at most: the site says that
what it has is what there is. Nothing it serves counts without the registry's release keys, which it never holds, and
which no key of the site can exchange: clients hold each root of the site to those of the registry in it
(`client/trust/served.py`). When the registry changes its release keys, the site's root keys have to agree.

Of what lies at the site only its roots are built on. Whatever else of its word is damaged, or was cut off by a kill, is
followed by the next version: no timestamp's version is higher than that of its snapshot, whose number is in its name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.config import Expiry
from assess_registry.errors import ConfigError, TrustError
from assess_registry.keys import PrivateKey
from assess_registry.names import SERVED_MEMBER
from assess_registry.repository.clock import require_clock
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
from assess_registry.repository.site_before import verified
from assess_registry.repository.state import (
    METADATA,
    VERSIONED,
    State,
    read_roots,
)
from assess_registry.repository.tuf_api import Metadata, Root, Snapshot, Timestamp


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteKeys:
    """What a site signs with.

    Attributes:
        online: signs snapshot and timestamp.
        root: the site's root keys; needed the first time, and when the registry's release keys have changed.
        root_threshold: how many of them a root needs; counts the first time.
        overrule_clock: sign also what ends before what the site has signed; somebody has found out why it does.
    """

    online: PrivateKey
    root: Sequence[PrivateKey] = ()
    root_threshold: int = 1
    overrule_clock: bool = False


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

    Where its roots are damaged or lost, by whose key has signed what is current there: the registry's can be had again.

    Raises:
        TrustError: its roots are damaged or lost, and nothing says that they were the registry's.
    """
    first = _name("root", 1)
    if _is_file_of(place / first, (upstream.place / first).read_bytes()):
        return False
    try:
        if read_roots(place):
            return True
    except TrustError as error:
        lost = error
    else:
        lost = TrustError("it is lost", step="metadata", thing=first, expected="a file", got="nothing")
        if not (place / _name("timestamp", 0)).is_file() and not _snapshots(place):
            return False  # nothing was ever served here
    if verified(place, upstream.root, "timestamp", None, Timestamp):
        return False
    raise TrustError(
        f"the site's root is damaged: {lost.what}",
        step=lost.step,
        thing=str(place / lost.thing),
        expected=lost.expected,
        got=lost.got,
        next_step="put it back from a copy: the site's clients have the first one, as their `root`; if they trust the "
        f"registry's own root, remove {place / METADATA} and import again",
    ) from lost


def site_word(place: Path, upstream: State, keys: SiteKeys, *, now: datetime, expiry: Expiry) -> SiteWord:
    """The site's word over the registry's targets, signed, with nothing written yet.

    Raises:
        ConfigError: a key has no part in the site's root, or root keys are needed and not given.
        TrustError: the site's roots are not signed as they have to be; step `keys`, one key in two roles; step
            `clock`, what the site has signed ends later than what would be.
    """
    if upstream.current is None:
        raise ValueError("a registry without a word")
    roots = read_roots(place) if (place / METADATA).is_dir() else ()
    root = _root(roots, upstream, keys, now, expiry)
    before = _before(place, roots[-1].signed) if roots else _Before(timestamp=0, snapshot=0, ends={})
    number = root.signed.version
    if not keys.overrule_clock:
        renewed = {"root": roots[-1].signed.expires} if roots and number > len(roots) else {}
        require_clock({**before.ends, **renewed}, now=now, expiry=expiry)
    version = _free(place, "snapshot", before.snapshot)
    snapshot = Snapshot(
        version=version, expires=until(expiry, "snapshot", now), meta=upstream.current.snapshot.signed.meta
    )
    snapshot_data = serialise(signed_by(snapshot, [keys.online]))
    timestamp = new_timestamp(
        snapshot_data,
        snapshot_version=version,
        version=before.timestamp + 1,
        expires=until(expiry, "timestamp", now),
    )
    made = {_name("root", number): serialise(root)} if number > len(roots) else {}
    said = {_name("snapshot", version): snapshot_data}
    current = {_name("timestamp", 0): serialise(signed_by(timestamp, [keys.online]))}
    # The first root before all else: where others lie without it, it was lost. A later one directly before the
    # timestamp: who reads in between is refused once, and tries again.
    files = {**made, **said, **current} if number == 1 else {**said, **made, **current}
    return SiteWord(files=files, root_version=number)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Before:
    """Versions that clients of the site may have seen, and when what is signed ends, by role."""

    timestamp: int
    snapshot: int
    ends: dict[str, datetime]


def _before(place: Path, root: Root) -> _Before:
    timestamp = verified(place, root, "timestamp", None, Timestamp)
    named = timestamp.signed.snapshot_meta.version if timestamp else max(_snapshots(place), default=0)
    snapshot = verified(place, root, "snapshot", named, Snapshot) if named else None
    found = {"timestamp": timestamp, "snapshot": snapshot}
    return _Before(
        timestamp=timestamp.signed.version if timestamp else named,
        snapshot=named,
        ends={role: each.signed.expires for role, each in found.items() if each is not None},
    )


def _snapshots(place: Path) -> list[int]:
    """Numbers of all snapshots that were ever signed here: none is removed."""
    found = [VERSIONED.fullmatch(path.name) for path in (place / METADATA).glob("*.snapshot.json")]
    return [int(each[1]) for each in found if each]


def _is_file_of(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def _root(
    roots: Sequence[Metadata[Root]], registry: State, keys: SiteKeys, now: datetime, expiry: Expiry
) -> Metadata[Root]:
    """The site's newest root, or the next where it has to be another."""
    newest, upstream = roots[-1].signed if roots else None, registry.root
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
    made.unrecognized_fields[SERVED_MEMBER] = [each.to_dict() for each in _served(newest, registry)]
    check_root(made, thing=_name("root", made.version))
    return signed_by(made, keys.root)


def _served(newest: Root | None, registry: State) -> tuple[Metadata[Root], ...]:
    """The registry's roots from the one that the site's newest ends with, or else its newest alone."""
    held = newest.unrecognized_fields.get(SERVED_MEMBER) if newest is not None else None
    if not held:
        return registry.roots[-1:]
    return registry.roots[held[-1]["signed"]["version"] - 1 :]


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

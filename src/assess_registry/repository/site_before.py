"""What a site serves already, beside what it is about to take: of the same registry, and nothing newer.

What an import remembers may be lost, with a copy of the site without its hidden files, or to a bundle of somebody else.
What is served is there, signed, and has been seen by the site's clients.
"""

from copy import deepcopy
from pathlib import Path

from assess_registry.errors import ConfigError, TrustError
from assess_registry.names import SERVED_MEMBER
from assess_registry.repository.roles import metadata_name
from assess_registry.repository.state import METADATA, State, read_metadata, read_roots, verify_role
from assess_registry.repository.tuf_api import Metadata, Root, Snapshot, T, Timestamp


def require_same_registry(place: Path, upstream: State) -> None:
    """The site, which begins with another root than the registry's, has that as its own over this very registry.

    Raises:
        TrustError: step `root`; it serves another registry.
    """
    held = read_roots(place)[-1].signed.unrecognized_fields.get(SERVED_MEMBER)
    if held:
        last = Metadata[Root].from_dict(deepcopy(held[-1]))  # which it empties
        known = upstream.roots[: last.signed.version][-1]
        if known.signed_bytes == last.signed_bytes:
            return
    raise TrustError(
        "the bundle is of another registry than the site serves",
        step="root",
        thing=str(place / METADATA / metadata_name("root", 1)),
        expected="the registry whose releases are there",
        got=f"one whose first root is signed by {', '.join(sorted(upstream.roots[0].signatures))}",
        next_step="import it into a directory of its own, and give each registry's bundles with that registry's --root",
    )


def require_not_older(place: Path, upstream: State, *, own_root: bool) -> None:
    """What the site serves is not newer than what it would serve.

    Metadata that is damaged, or that keys have signed which count no more, says nothing here.

    Raises:
        TrustError: step `timestamp`; it is.
    """
    if upstream.current is None:
        return
    if own_root:
        before, after = _roles(place, upstream), upstream.current.versions()
        newer = sorted(role for role, version in before.items() if version > after.get(role, 0))
    else:
        served = verified(place, upstream.root, "timestamp", None, Timestamp)
        is_newer = served is not None and served.signed.version > upstream.current.timestamp.signed.version
        newer = ["timestamp"] if is_newer else []
    if newer:
        raise TrustError(
            "the bundle is older than what the site serves",
            step="timestamp",
            thing=str(place / METADATA),
            expected=f"{newer[0]} not older than what is there",
            got="an older version",
            next_step="import the newest bundle; have it exported again if it is lost",
        )


def verified(place: Path, root: Root, role: str, version: int | None, kind: type[T]) -> Metadata[T] | None:
    """Top-level metadata as it is signed by whom the root asks for; None where it is not, or not there."""
    try:
        metadata, _ = read_metadata(place, role, version, kind)
        verify_role(root, role, metadata)
    except (TrustError, ConfigError):
        return None
    return metadata


def _roles(place: Path, upstream: State) -> dict[str, int]:
    """Versions of targets and bins that the site serves; none where other release keys sign them now."""
    root = read_roots(place)[-1].signed
    if {*root.roles["targets"].keyids} != {*upstream.root.roles["targets"].keyids}:
        return {}  # who drove versions up with a key that was stolen has not driven up those of the next one
    timestamp = verified(place, root, "timestamp", None, Timestamp)
    if timestamp is None:
        return {}
    snapshot = verified(place, root, "snapshot", timestamp.signed.snapshot_meta.version, Snapshot)
    if snapshot is None:
        return {}
    return {name.removesuffix(".json"): meta.version for name, meta in snapshot.signed.meta.items()}

"""Old metadata and target files that nobody names any more are removed; whoever still reads them has time to finish.

A snapshot was current until the next one was written, so that next one's modification time says how long ago. What the
current snapshot names stays, and what each names that was current within the time to keep. Roots stay for ever: a
client that was away follows them one by one.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from assess_registry.errors import TrustError
from assess_registry.files import sync_directory
from assess_registry.repository.roles import metadata_name, target_name
from assess_registry.repository.state import METADATA, VERSIONED, State, read_metadata
from assess_registry.repository.tuf_api import Snapshot, Targets

TARGET_DIRECTORIES = ("catalog", "control")

_TARGET = re.compile(r"[0-9a-f]{64}\..+\.json")
_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]+")


def collect(state: State, *, keep_s: float, now: datetime) -> tuple[str, ...]:
    """The removed files, relative to the root; only under the repository's lock.

    Raises:
        TrustError: current metadata is not signed as it has to be; nothing was removed.
    """
    if state.current is None:
        return ()
    limit = now.timestamp() - keep_s
    named = set(_named_now(state)) | set(_named_lately(state, limit))
    removed = []
    for directory in (METADATA, *TARGET_DIRECTORIES):
        found = [
            path
            for path in sorted((state.place / directory).glob("*"))
            if _removable(path) and f"{directory}/{path.name}" not in named and path.lstat().st_mtime < limit
        ]
        for path in found:
            path.unlink()
            removed.append(f"{directory}/{path.name}")
        if found:
            sync_directory(state.place / directory)
    return tuple(removed)


def _removable(path: Path) -> bool:
    """Whether it is of a kind that is collected: files that we did not write are not ours to remove."""
    if _TEMPORARY.fullmatch(path.name):
        return True
    if path.parent.name != METADATA:
        return bool(_TARGET.fullmatch(path.name))
    versioned = VERSIONED.fullmatch(path.name)
    return versioned is not None and versioned[2] != "root"


def _named_now(state: State) -> Iterator[str]:
    if state.current is None:
        return
    yield _metadata("snapshot", state.current.snapshot.signed.version)
    for role, version in state.current.versions().items():
        yield _metadata(role, version)
    for name in state.roles():
        yield from (target_name(target) for target in state.role(name).targets.values())


def _named_lately(state: State, limit: float) -> Iterator[str]:
    """What snapshots name that were current after `limit`, as far as they are still there and readable."""
    versions = sorted(
        int(found[1])
        for path in (state.place / METADATA).glob("*.snapshot.json")
        if (found := VERSIONED.fullmatch(path.name))
    )
    for version, following in pairwise(versions):
        if (state.place / _metadata("snapshot", following)).stat().st_mtime < limit:
            continue
        yield _metadata("snapshot", version)
        # Unverified on purpose: what it names is kept, never believed.
        for role, number in _versions(state.place, version).items():
            yield _metadata(role, number)
            yield from _targets(state.place, role, number)


def _versions(place: Path, version: int) -> dict[str, int]:
    try:
        snapshot = read_metadata(place, "snapshot", version, Snapshot)[0].signed
    except TrustError:  # damaged, so that no client can have used it
        return {}
    return {name.removesuffix(".json"): meta.version for name, meta in snapshot.meta.items()}


def _targets(place: Path, role: str, version: int) -> Iterator[str]:
    try:
        targets = read_metadata(place, role, version, Targets)[0].signed.targets
    except TrustError:  # collected before, or damaged
        return
    yield from (target_name(target) for target in targets.values())


def _metadata(role: str, version: int) -> str:
    return f"{METADATA}/{metadata_name(role, version)}"

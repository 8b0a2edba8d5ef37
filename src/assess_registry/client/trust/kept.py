"""The last complete word on disk, as one set: `last` names a directory whose files all belong together.

A refresh changes several files, and may be killed between any two. What is read without the registry is therefore not
what a refresh works on, but a set of hard links made when one was complete, exchanged in one step. Links stay what they
are because every file here is replaced, never written into.

    <state>/metadata/  targets/      what a refresh works on: TUF's memory, and the signed files that were read
    <state>/last -> word-<random>/   metadata/, targets/, refreshed.json

A reader takes no lock: it reads the whole set, and begins again when that was exchanged meanwhile.
"""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import atomic_write, read_bounded, sync_directory

METADATA, TARGETS, LAST, REFRESHED = "metadata", "targets", "last", "refreshed.json"

MAX_FILE_BYTES = 8 << 20
"""Nothing larger is ever accepted into the state."""

_SETS = "word-"
_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptWord:
    """A set as it was read: file name below the set -> bytes. Nothing of it is verified."""

    refreshed_at: datetime
    files: Mapping[str, bytes] = field(repr=False)


def keep(state: Path, *, refreshed_at: datetime) -> None:
    """`last` is what `metadata` and `targets` hold now; killed at any point, it is that or what it was before."""
    working = _listed(state)
    last = state / LAST
    if last.is_dir() and not last.is_symlink():  # nothing of ours: no link would ever take its place
        last.rename(state / f"{_SETS}{secrets.token_hex(8)}")
    if last.is_dir() and _inodes(state, working) == _inodes(last.resolve(), _listed(last.resolve())):
        _write_time(last.resolve(), refreshed_at)
        _sweep(state, last.resolve().name)
        return
    fresh = state / f"{_SETS}{secrets.token_hex(8)}"
    for name in working:
        (fresh / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _link(state / name, fresh / name)
    fresh.mkdir(mode=0o700, exist_ok=True)
    _write_time(fresh, refreshed_at)
    for directory in {(fresh / name).parent for name in working}:
        sync_directory(directory)
    link = state / f".{fresh.name}"
    link.symlink_to(fresh.name)
    link.replace(last)
    sync_directory(state)
    _sweep(state, fresh.name)


def read_kept(state: Path) -> KeptWord | None:
    """The last complete set, or None when there never was one.

    Raises:
        TrustError: step `staleness`; what is there is damaged.
    """
    for _ in range(_ATTEMPTS):
        if not (state / LAST).is_symlink():
            return None
        directory = (state / LAST).resolve()
        with contextlib.suppress(FileNotFoundError):  # exchanged and swept while it was read: there is a newer one
            return _read(directory)
    raise _damaged(state / LAST)


def _read(directory: Path) -> KeptWord:
    try:
        refreshed_at = datetime.fromisoformat(json.loads(read_bounded(directory / REFRESHED, 200))["refreshed_at"])
        if refreshed_at.tzinfo is None:
            raise _damaged(directory / REFRESHED)
        files = {name: read_bounded(directory / name, MAX_FILE_BYTES) for name in _listed(directory)}
    except (ValueError, TypeError, KeyError, ConfigError, RecursionError) as error:
        raise _damaged(directory / REFRESHED) from error
    return KeptWord(refreshed_at=refreshed_at, files=files)


def _listed(directory: Path) -> list[str]:
    """The files of a set, without temporary ones and without the link that TUF's client keeps to its root."""
    found = [path for part in (METADATA, TARGETS) for path in (directory / part).rglob("*.json")]
    return sorted(str(path.relative_to(directory)) for path in found if path.is_file() and not path.is_symlink())


def _inodes(directory: Path, names: list[str]) -> list[tuple[str, int]]:
    return [(name, (directory / name).stat().st_ino) for name in names]


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        atomic_write(target, source.read_bytes(), mode=0o600)


def _write_time(directory: Path, refreshed_at: datetime) -> None:
    data = json.dumps({"refreshed_at": refreshed_at.astimezone(UTC).isoformat()}).encode() + b"\n"
    path = directory / REFRESHED
    if not path.is_file() or path.read_bytes() != data:
        atomic_write(path, data, mode=0o600)


def _sweep(state: Path, current: str) -> None:
    """Remove sets that are not `last`, of earlier refreshes and of killed ones."""
    for path in state.iterdir():
        if path.name.startswith(_SETS) and path.name != current:
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith(f".{_SETS}"):
            path.unlink(missing_ok=True)


def _damaged(path: Path) -> TrustError:
    return TrustError(
        "what was remembered of the registry cannot be read",
        step="staleness",
        thing=str(path),
        next_step="connect to the registry once, so that it is learned anew",
    )

"""What changed on disk that a runtime which goes on running has to follow, found by looking at it again and again.

    changes = Changes()
    changes.watch(places_of(config, state=state, interpreters=(...)))     # as they are now: nothing changed
    changes.look()    ->    frozenset({Topic.CONFIGURATION})              # once for each change

A file is what `stat` says of it: device, inode, size, time of its last change. A change counts when two looks, one
after the other, see the same: an editor that writes in pieces, or a folder that is being copied, is not read half done.
Nothing is opened, so a file on a disk that hangs holds up one thread and nobody else.
"""

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from assess_core.config import Config

MAX_ENTRIES = 20_000
"""Of one folder; of what is beyond, changes are not noticed before the registry is asked again."""

MAX_DEPTH = 8

STATE_DIRECTORIES = ("active", "choices", "consents", "quarantine")
"""Where other processes say what is to run: `assess sync`, `assess plugins pin`, `consent`, `resume`."""


class Topic(StrEnum):
    """What kind of thing a place is."""

    CONFIGURATION = "configuration"
    FOLDERS = "folders"
    INTERPRETERS = "interpreters"
    STATE = "state"


Place = tuple[Topic, Path]

Stamp = tuple[tuple[str, int, int, int, int], ...]
"""Of every file at a place, the place itself included: path below it, device, inode, size, nanoseconds. Empty when
nothing is there."""

Look = Mapping[Place, Stamp]


def places_of(config: Config, *, state: Path, interpreters: Collection[Path] = ()) -> frozenset[Place]:
    """What this configuration goes by."""
    files = [config.source]
    if config.registry is not None:
        files += [path for path in (config.registry.root, config.registry.ca_file) if path is not None]
    folders = [path for entry in config.plugins for path in (entry.dir, entry.trusted_keys) if path is not None]
    return frozenset(
        (
            *((Topic.CONFIGURATION, path) for path in files),
            *((Topic.FOLDERS, path) for path in folders),
            *((Topic.INTERPRETERS, path) for path in interpreters),
            *((Topic.STATE, state / name) for name in STATE_DIRECTORIES),
        )
    )


@dataclass(slots=True)
class _Seen:
    """What one place was when it was last told of, and at the last look."""

    told: Stamp
    last: Stamp


class Noticing:
    """Looks, one after the other, become changes. No I/O."""

    def __init__(self) -> None:
        self._seen: dict[Place, _Seen] = {}

    def expect(self, look: Look) -> None:
        """These places are watched from now on and no others; what was not watched before is as it is to be."""
        for place in self._seen.keys() - look.keys():
            del self._seen[place]
        for place, stamp in look.items():
            if place not in self._seen:
                self._seen[place] = _Seen(stamp, stamp)

    def changed(self, look: Look) -> frozenset[Topic]:
        """What is not as it was when it was last told of, and was at the last look as it is now. It is told of now."""
        found = set()
        for place, stamp in look.items():
            seen = self._seen.get(place)
            if seen is None:
                continue
            if stamp == seen.last and stamp != seen.told:
                seen.told = stamp
                found.add(place[0])
            seen.last = stamp
        return frozenset(found)


class Changes:
    """Looks at places. Blocking; used by one thread."""

    def __init__(self) -> None:
        self._places: frozenset[Place] = frozenset()
        self._noticing = Noticing()

    def watch(self, places: Collection[Place]) -> None:
        """These and no others; a change from now on counts."""
        self._places = frozenset(places)
        self._noticing.expect(_look(self._places))

    def look(self) -> frozenset[Topic]:
        """What changed, each change once, at the second look that sees it."""
        return self._noticing.changed(_look(self._places))


def _look(places: Collection[Place]) -> dict[Place, Stamp]:
    return {place: stamp_of(place[1]) for place in places}


def stamp_of(path: Path) -> Stamp:
    """What is there now. A link is followed at the place itself, not below it."""
    try:
        top = path.stat()
    except (OSError, ValueError):
        return ()
    if not stat.S_ISDIR(top.st_mode):
        return (_entry("", top),)
    return (_entry("", top), *sorted(_below(path, "", MAX_DEPTH, [MAX_ENTRIES])))


def _below(directory: Path, prefix: str, depth: int, left: list[int]) -> Iterator[tuple[str, int, int, int, int]]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue  # what is being written, and will get its name
                if not left[0]:
                    return
                left[0] -= 1
                try:
                    found = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                name = f"{prefix}{entry.name}"
                yield _entry(name, found)
                if depth and stat.S_ISDIR(found.st_mode):
                    yield from _below(Path(entry.path), f"{name}/", depth - 1, left)
    except OSError:
        return


def _entry(name: str, found: os.stat_result) -> tuple[str, int, int, int, int]:
    if stat.S_ISDIR(found.st_mode):  # its time says that somebody took a lock in it, as every sync does
        return name, found.st_dev, found.st_ino, 0, 0
    return name, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

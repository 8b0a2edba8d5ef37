"""Registries signed with keys that are all at hand, and a reader of them that shares no code with us: python-tuf's."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import Updater, UpdaterConfig  # type: ignore[attr-defined]  # documented, but in no list of exports
from tuf.ngclient.fetcher import FetcherInterface

from assess_registry.keys import PrivateKey, generate_key
from assess_registry.repository import CommitReport, Repository, create_repository

BINS = 4
_COUNTER = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Two of three root keys, one release key, one online key; `replace` for others."""

    root: tuple[PrivateKey, ...] = field(default_factory=lambda: tuple(generate_key() for _ in range(3)))
    release: tuple[PrivateKey, ...] = field(default_factory=lambda: (generate_key(),))
    online: PrivateKey = field(default_factory=generate_key)
    root_threshold: int = 2
    release_threshold: int = 1

    def but(self, **changes: object) -> "Keys":
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A repository, its keys, and a time that stands still."""

    place: Path
    keys: Keys
    now: datetime

    @property
    def repository(self) -> Repository:
        return Repository(self.place)

    def commit(self, targets: dict[str, bytes | None], **changes: object) -> CommitReport:
        arguments = {"release_keys": self.keys.release, "online_key": self.keys.online, "now": self.now, **changes}
        return self.repository.commit(targets, **arguments)  # type: ignore[arg-type]

    def refresh(self, **changes: object) -> CommitReport:
        arguments = {"online_keys": [self.keys.online], "now": self.now, **changes}
        return self.repository.refresh(**arguments)  # type: ignore[arg-type]

    def metadata(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.place / "metadata").iterdir())}


def make_registry(place: Path, *, keys: Keys | None = None, now: datetime | None = None, bins: int = BINS) -> Registry:
    keys = keys or Keys()
    now = now or datetime.now(UTC)
    create_repository(
        place,
        root_keys=keys.root,
        root_threshold=keys.root_threshold,
        release_keys=keys.release,
        release_threshold=keys.release_threshold,
        online_key=keys.online,
        now=now,
        bins=bins,
    )
    return Registry(place=place, keys=keys, now=now)


class _Files(FetcherInterface):
    """`file://` for python-tuf, and what was asked for."""

    def __init__(self) -> None:
        self.fetched: list[tuple[str, int]] = []

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = Path(url.removeprefix("file://"))
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise DownloadHTTPError(f"{path}: missing", 404) from error
        self.fetched.append((path.name, len(data)))
        yield data


class Reader:
    """A client that has been given the first root, and remembers what it saw in a directory of its own."""

    def __init__(self, place: Path, memory: Path, *, max_bytes: int = 5_000_000) -> None:
        self.place, self.memory = place, memory
        self.config = UpdaterConfig(targets_max_length=max_bytes)
        self.bootstrap = (place / "metadata" / "1.root.json").read_bytes()
        self.fetched: list[tuple[str, int]] = []
        memory.mkdir(parents=True, exist_ok=True)

    def read(self, *paths: str) -> dict[str, bytes | None]:
        """These targets as of now, None where there is none; raises what python-tuf raises."""
        files = _Files()
        base = f"file://{self.place}"
        memory = str(self.memory)
        updater = Updater(
            memory, f"{base}/metadata", memory, base, fetcher=files, config=self.config, bootstrap=self.bootstrap
        )
        try:
            updater.refresh()
            found: dict[str, bytes | None] = {}
            for path in paths:
                info = updater.get_targetinfo(path)
                target = self.memory / f"target-{next(_COUNTER)}"
                found[path] = None if info is None else Path(updater.download_target(info, str(target))).read_bytes()
        finally:
            self.fetched = files.fetched
        return found

"""Plugins whose workers died too often, on disk, so that the next runtime does not begin the same again.

    quarantines = Quarantines(state / "quarantine")
    quarantines.of("host-baseline")    ->    Quarantine(version="1.2.0", since=..., deaths=(...)), or None
    quarantines.lift("host-baseline")

One file for each distribution, written whole and without the store's lock: an install may hold that for minutes. It
binds the environment that it names: another version, or another interpreter, is free.
"""

import contextlib
import json
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from assess_core.errors import FaultKind, StoreError
from assess_core.store.ownership import read_own
from assess_registry.client import ProjectName, RegistryError, TrustError, atomic_write

logger = logging.getLogger(__name__)

SCHEMA = 1
MAX_BYTES = 1 << 20
"""Of one file: a log's tail has 16 KiB, escaped some six times as much."""


ABANDONED_AFTER_S = 3600.0
"""A file that is being written and was not changed for so long is a dead process's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fatality:
    """One of the deaths that it was quarantined for; `phase` as in `Ended`."""

    at: datetime
    kind: FaultKind
    phase: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantine:
    """Why nothing of an environment is started any more.

    Attributes:
        env_key: which environment.
        log_tail: last lines of its last worker's output.
    """

    env_key: str
    version: str
    sha256: str
    since: datetime
    deaths: tuple[Fatality, ...]
    log_tail: str

    def encode(self) -> bytes:
        """As JSON."""
        document = {
            "schema": SCHEMA,
            "env_key": self.env_key,
            "version": self.version,
            "sha256": self.sha256,
            "since": self.since.isoformat(),
            "deaths": [
                {"at": each.at.isoformat(), "kind": each.kind.value, "phase": each.phase, "message": each.message}
                for each in self.deaths
            ],
            "log_tail": self.log_tail,
        }
        return json.dumps(document, indent=2).encode("ascii") + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """What `encode` made of it.

        Raises:
            ValueError: it is something else.
        """
        document = _object(json.loads(data))
        if document.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {document.get('schema')!r}, this assess knows {SCHEMA}")
        deaths = document.get("deaths")
        if not isinstance(deaths, list):
            raise ValueError(f"deaths must be a list, got {deaths!r}")
        return cls(
            env_key=_text(document, "env_key"),
            version=_text(document, "version"),
            sha256=_text(document, "sha256"),
            since=_moment(document, "since"),
            deaths=tuple(_fatality(_object(each)) for each in deaths),
            log_tail=_text(document, "log_tail"),
        )


class Quarantines:
    """Those of one state directory; `directory` need not exist before the first is put there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def of(self, distribution: ProjectName) -> Quarantine | None:
        """The quarantine of this distribution, whichever of its environments it binds.

        A file that cannot be understood binds nobody: it is said, and written anew by the next death.

        Raises:
            StoreError: it is there and may not be read.
        """
        found = self.look(distribution)
        if isinstance(found, str):
            logger.warning("%s.", found, extra={"action": "quarantine-unreadable"})
            return None
        return found

    def damage(self, distribution: ProjectName) -> str:
        """What is wrong with a file that binds nobody, because it cannot be understood; empty when nothing is.

        Raises:
            StoreError: it is there and may not be read.
        """
        found = self.look(distribution)
        return found if isinstance(found, str) else ""

    def put(self, distribution: ProjectName, quarantine: Quarantine) -> None:
        """It is on disk.

        Raises:
            StoreError: no room, no right.
        """
        path = self._path(distribution)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic_write(path, quarantine.encode(), mode=0o600)
            self._sweep()
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error

    def lift(self, distribution: ProjectName) -> bool:
        """There is none any more; whether there was.

        Raises:
            StoreError: it may not be removed.
        """
        path = self._path(distribution)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"{path}: cannot be removed: {error.strerror or error}") from error
        return True

    def all(self) -> dict[ProjectName, Quarantine]:
        """Every one that can be read, by distribution, in order."""
        found: dict[ProjectName, Quarantine] = {}
        for path in sorted(self._directory.glob("*.json")):
            name = ProjectName(path.stem)  # a file that is none of ours starts with a dot, or does not parse
            if not path.name.startswith(".") and (quarantine := self.of(name)) is not None:
                found[name] = quarantine
        return found

    def look(self, distribution: ProjectName) -> Quarantine | str | None:
        """What is there: a quarantine, what is wrong with the file, or nothing.

        Raises:
            StoreError: it is there and may not be read.
        """
        path = self._path(distribution)
        try:
            return Quarantine.parse(read_own(path, MAX_BYTES))
        except FileNotFoundError:
            return f"{path} is a link to nothing" if path.is_symlink() else None
        except TrustError as error:  # believed, it would quarantine; not understood, it would lift
            why = "; ".join(issue.message for issue in error.issues)
            raise StoreError(f"{path}: {error.what}: it {why}; find out who did, and remove it") from error
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError, RegistryError) as error:
            return f"{path} is not a quarantine: {error}"

    def _sweep(self) -> None:
        """What writers left that were killed is gone. No lock says that they were: nobody writes for an hour."""
        for left in self._directory.glob(".tmp-*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.lstat().st_mtime > ABANDONED_AFTER_S:
                    left.unlink()

    def _path(self, distribution: ProjectName) -> Path:
        return self._directory / f"{distribution}.json"


def _fatality(document: dict[str, Any]) -> Fatality:
    return Fatality(
        at=_moment(document, "at"),
        kind=FaultKind(_text(document, "kind")),
        phase=_text(document, "phase"),
        message=_text(document, "message"),
    )


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"must be an object, got {type(value).__name__}")
    return value


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text, got {value!r}")
    return value


def _moment(document: dict[str, Any], name: str) -> datetime:
    moment = datetime.fromisoformat(_text(document, name))
    if moment.utcoffset() is None:
        raise ValueError(f"{name} has no time zone")
    return moment

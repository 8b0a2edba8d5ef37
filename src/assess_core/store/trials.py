"""Versions that took another's place and have not answered one call yet: a file for each, by its environment.

    trials = Trials(state / "trials")
    trials.begin(env_key)           before it serves
    trials.died(env_key, death)     ->    every death of it since, those of other processes too
    trials.end(env_key)             after its first good call
    trials.holds(env_key)           whether it is on trial still

Such a version is left again for the one before it when it is quarantined (`fallback.py`). One without a file has proven
itself, or nothing served before it. Without the store's lock: whoever made the first good call does not wait for
somebody who installs, and a file of its own for each environment needs none.

In the file is one line of JSON for each death: a process that makes one call and ends sees one of them at most.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from assess_core.errors import FaultKind, StoreError
from assess_core.store.ownership import read_own
from assess_registry.client import RegistryError, TrustError, sync_directory

MAX_BYTES = 1 << 16
"""Of one file: what would make it longer is not written any more."""

MAX_MESSAGE = 500
"""Characters of what is said of one death."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Death:
    """How one worker died of a version on trial; all of it by the clock on the wall, which other processes have, too.

    Attributes:
        began_at: when that worker, or the start that failed, began.
        phase: as in `host.standing.Ended`.
    """

    at: datetime
    began_at: datetime
    kind: FaultKind
    phase: str
    message: str

    def encode(self) -> bytes:
        """As one line, which begins a new one: whoever was cut off before it leaves half a line and spoils no other."""
        document = {
            "at": self.at.isoformat(),
            "began_at": self.began_at.isoformat(),
            "kind": self.kind.value,
            "phase": self.phase,
            "message": self.message[:MAX_MESSAGE],
        }
        return b"\n" + json.dumps(document).encode("ascii") + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """What `encode` made of it.

        Raises:
            ValueError, KeyError, TypeError, RecursionError: it is something else, or half of it.
        """
        document = json.loads(line)
        at, began_at = (datetime.fromisoformat(document[key]) for key in ("at", "began_at"))
        if at.utcoffset() is None or began_at.utcoffset() is None:
            raise ValueError("a moment has no time zone")
        kind = FaultKind(document["kind"])
        return cls(at=at, began_at=began_at, kind=kind, phase=str(document["phase"]), message=str(document["message"]))


class Trials:
    """Those of one state directory; `directory` need not exist before the first begins."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def begin(self, env_key: str) -> None:
        """It is on trial, also after a crash, and never died.

        Raises:
            OSError: no room, no right.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(self._directory / env_key, flags, 0o600))
        sync_directory(self._directory)

    def holds(self, env_key: str) -> bool:
        """Whether it is on trial."""
        return os.path.lexists(self._directory / env_key)

    def died(self, env_key: str, death: Death, *, at_once_s: float) -> tuple[Death, ...]:
        """The deaths that count, this one with them; none when it is on trial no more.

        It is there for every process from now on. Only the machine's own end may forget it: nobody waits for the disk.
        Workers of whichever process that died within `at_once_s` count as `host.standing.Policy` has it.

        Raises:
            StoreError: it cannot be written or read.
        """
        path, line = self._directory / env_key, death.encode()
        # Not made: a good call may just have ended the trial.
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error
        try:
            fits = os.fstat(descriptor).st_size + len(line) <= MAX_BYTES
            if fits and os.write(descriptor, line) < len(line):
                raise StoreError(f"{path}: cannot be written: there is no room")
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error
        finally:
            os.close(descriptor)
        return self.deaths(env_key, at_once_s=at_once_s)

    def deaths(self, env_key: str, *, at_once_s: float) -> tuple[Death, ...]:
        """Those that count since it was put on trial, or last forgiven; half a line is none.

        Raises:
            StoreError: they cannot be read.
        """
        path = self._directory / env_key
        try:
            data = read_own(path, 2 * MAX_BYTES)  # several may have written the last line
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from error
        except RegistryError as error:
            raise StoreError(f"{path}: {error.what if isinstance(error, TrustError) else error}") from error
        return tuple(_events(_whole(data), timedelta(seconds=at_once_s)))

    def forgive(self, env_key: str) -> None:
        """It never died; whether it is on trial stays as it is.

        Raises:
            StoreError: that cannot be written.
        """
        path = self._directory / env_key
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error

    def end(self, env_key: str) -> None:
        """It is on trial no more, also after a crash.

        Raises:
            StoreError: that cannot be written.
        """
        path = self._directory / env_key
        try:
            path.unlink()
            sync_directory(self._directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{path}: cannot be removed: {error.strerror or error}") from error


def _whole(data: bytes) -> Iterator[Death]:
    for line in data.splitlines():
        try:
            yield Death.parse(line)
        except (ValueError, KeyError, TypeError, RecursionError):  # empty, or its writer was cut off
            continue


def _events(deaths: Iterable[Death], at_once: timedelta) -> Iterator[Death]:
    """One of those that lived side by side and died at once, in whichever processes: something killed them all.

    What died before the one that was written first died at another time: the clock was set back.
    """
    counted: Death | None = None
    for death in deaths:
        if counted is None or death.began_at >= counted.at or abs(death.at - counted.at) > at_once:
            counted = death
            yield death

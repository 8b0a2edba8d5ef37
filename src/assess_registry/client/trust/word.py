"""The registry's word: current when it can be asked, remembered when not, and never older than what was seen before.

1. Nobody else can have written into the state directory; take its lock; look at the clock.
2. Let TUF's client bring root, timestamp, snapshot and targets up to date.
3. Bring every signed file that was ever read up to date as well, so that what is remembered is complete. Those need
   not be read again.
4. Remember the whole as one set, and when that was.

Nothing is remembered of a refresh that was refused but what TUF wants remembered: verified metadata, against rollback.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

from assess_registry.client.transport import Deadline
from assess_registry.client.trust.clock import TOLERANCE, ClockGuard, utc_now
from assess_registry.client.trust.kept import MAX_FILE_BYTES, METADATA, TARGETS, keep, read_kept
from assess_registry.client.trust.metadata import SignedMetadata, check_target, stored_at
from assess_registry.client.trust.own import check_own
from assess_registry.client.trust.port import ReadFile, Word
from assess_registry.client.trust.remembered import RememberedWord, target_file
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import atomic_write, file_lock, read_bounded
from assess_registry.keys import PublicKey

_LOCK, _CLOCK = ".lock", "clock.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """The state directory and how the registry's files are read. Whoever writes holds the lock."""

    state: Path
    read: ReadFile

    def locked(self, deadline: Deadline) -> AbstractContextManager[None]:
        return file_lock(self.state / _LOCK, timeout_s=deadline.remaining_s(str(self.state)))

    def target(self, path: str) -> Path:
        return self.state / TARGETS / target_file(path)

    def known_targets(self) -> list[str]:
        return sorted(unquote(path.name) for path in (self.state / TARGETS).glob("*.json"))

    def timestamp(self) -> bytes:
        return (self.state / METADATA / "timestamp.json").read_bytes()


class SignedWord:
    """The trust state of one registry, in a directory of its own.

    Args:
        state: made if absent, for its owner alone.
        root: the anchor, bytes of a root metadata file.
        read: reads the registry's files.
        max_staleness_s: how old a remembered word may be.
        now: tells the time; TUF's client, which cannot be told it, takes the system's.
    """

    def __init__(
        self,
        *,
        state: Path,
        root: bytes,
        read: ReadFile,
        max_staleness_s: float,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._place = _Place(state=state, read=read)
        self._root = root
        self._max_staleness = timedelta(seconds=max_staleness_s)
        self._clock = ClockGuard(state / _CLOCK, now=now)

    def refresh(self, deadline: Deadline) -> Word:
        """The registry's current word; see `TrustState.refresh`."""
        state = self._place.state
        try:
            for directory in (state, state / METADATA, state / TARGETS):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_own(state)  # 1
        except OSError as error:
            raise ConfigError(f"registry state: {state}: cannot be used: {error.strerror}") from error
        with self._place.locked(deadline):
            return _CurrentWord(self._place, self._ask, deadline)

    def remembered(self) -> Word:
        """The last word; see `TrustState.remembered`."""
        if self._place.state.exists():
            check_own(self._place.state)
        now = self._clock.check()
        state = str(self._place.state)
        kept = read_kept(self._place.state)
        if kept is None:
            raise TrustError(
                "nothing is remembered of this registry, which was never reached with this state",
                step="staleness",
                thing=state,
                next_step="connect to the registry once",
            )
        if kept.refreshed_at > now + TOLERANCE:
            raise TrustError(
                "it was last heard of in the future, which somebody wrote there or a clock made",
                step="clock",
                thing=state,
                expected=f"not after {now:%Y-%m-%dT%H:%M:%SZ}",
                got=f"{kept.refreshed_at:%Y-%m-%dT%H:%M:%SZ}",
                next_step="set the clock, then connect to the registry once",
            )
        if now - kept.refreshed_at > self._max_staleness:
            raise TrustError(
                "the registry has not given a valid word for too long",
                step="staleness",
                thing=state,
                expected=f"a word not older than {_days(self._max_staleness)} (max_staleness_d)",
                got=f"{_days(now - kept.refreshed_at)}: the last is of {kept.refreshed_at:%Y-%m-%dT%H:%M:%SZ}",
                next_step="connect to the registry; if it answers, ask its maintainer to run: assess-registry refresh",
            )
        word = RememberedWord(kept, root=self._root)
        self._clock.accept(now)
        return word

    def _ask(self, deadline: Deadline) -> "_Answer":
        """Steps 1 to 4, with the lock held."""
        now = self._clock.check()  # 1
        directory = self._place.state / METADATA
        metadata = SignedMetadata(directory, root=self._root, read=self._place.read, deadline=deadline)
        metadata.refresh()  # 2
        answer = _Answer(place=self._place, metadata=metadata, at=now, timestamp=self._place.timestamp())
        for path in self._place.known_targets():  # 3
            answer.files[path] = answer.update(path, deadline)
        keep(self._place.state, refreshed_at=now)  # 4
        self._clock.accept(now)
        return answer


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What the registry said when it was asked once, and what was read of it."""

    place: _Place
    metadata: SignedMetadata
    at: datetime
    timestamp: bytes
    files: dict[str, bytes | None] = field(default_factory=dict)

    def update(self, path: str, deadline: Deadline) -> bytes | None:
        """The signed file at `path`, from disk if it is the same still; with the lock held."""
        target, kept = self.metadata.find(path, deadline), self.place.target(path)
        if target is None:
            kept.unlink(missing_ok=True)
            return None
        location = stored_at(path, target)
        if target.length > MAX_FILE_BYTES:
            raise TrustError(
                "it is larger than a file of this kind may be",
                step="targets",
                thing=location,
                expected=f"at most {MAX_FILE_BYTES} bytes",
                got=f"{target.length} bytes",
                next_step="ask the registry's maintainer",
            )
        try:
            data = read_bounded(kept, target.length)
            check_target(data, path, target)
        except (OSError, ConfigError, TrustError):  # absent, or of an earlier word
            data = self.place.read(location, target.length, deadline)
            check_target(data, location, target)
            atomic_write(kept, data, mode=0o600)
        return data


class _CurrentWord:
    """A `Word` of the registry as it is now; files are fetched as they are needed, once."""

    stale = False

    def __init__(self, place: _Place, ask: Callable[[Deadline], _Answer], deadline: Deadline) -> None:
        self._place = place
        self._ask = ask
        self._answer = ask(deadline)

    @property
    def refreshed_at(self) -> datetime:
        """See `Word`."""
        return self._answer.at

    def read(self, path: str, deadline: Deadline) -> bytes | None:
        """See `Word.read`."""
        if path not in self._answer.files:
            with self._place.locked(deadline):
                if self._place.timestamp() != self._answer.timestamp:
                    # Another process has refreshed since. To go on with ours would put its files and ours into one set.
                    self._answer = self._ask(deadline)
                if path not in self._answer.files:
                    self._answer.files[path] = self._answer.update(path, deadline)
                    keep(self._place.state, refreshed_at=self._answer.at)
        return self._answer.files[path]

    def signing_keys(self) -> tuple[tuple[str, PublicKey], ...]:
        """See `Word`."""
        return self._answer.metadata.signing_keys()


def _days(time: timedelta) -> str:
    days = time / timedelta(days=1)
    return f"{days:.1f} days" if days != int(days) else f"{days:.0f} day{'' if days == 1 else 's'}"

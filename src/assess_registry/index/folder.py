"""A folder of wheels, as a closure is chosen from it: by filename, and read only when asked for."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from assess_registry.errors import ConfigError
from assess_registry.files import read_bounded
from assess_registry.index.tree import WHEEL_SUFFIX
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES
from assess_registry.wheel import MAX_WHEEL_BYTES


class WheelFolder(Mapping[str, bytes]):
    """The wheels lying in a directory, by filename; the bytes of one are read when it is asked for."""

    def __init__(self, directory: Path) -> None:
        try:
            names = sorted(path.name for path in directory.iterdir() if path.suffix == WHEEL_SUFFIX)
        except OSError as error:
            raise ConfigError(f"{directory}: the closure's wheels cannot be read: {error.strerror}") from error
        self._directory, self._names = directory, names

    def __getitem__(self, filename: str) -> bytes:
        if filename not in self._names:
            raise KeyError(filename)
        return read_bounded(self._directory / filename, MAX_WHEEL_BYTES)

    def path(self, filename: str) -> Path:
        """Where a wheel lies."""
        return self._directory / filename

    def lock(self) -> bytes | None:
        """The lock that lies beside the wheels; None when there is none."""
        try:
            return read_bounded(self._directory / LOCK_NAME, MAX_LOCK_BYTES)
        except FileNotFoundError:
            return None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

"""Files that are written together: each whole or as it was, all on disk when `write` returns.

Waiting for the disk is what writing many small files takes, file by file. So all are written beside their places first,
then all are waited for at once, which the disk does in few turns, and then they take their places in the order in which
they were put. Killed in between, some have and some have not: whoever needs more marks what is to be done again.
"""

import os
import secrets
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from assess_registry.files import read_bounded, sync_directory
from assess_registry.index.tree import Tree
from assess_registry.status.places import STATUS

MAX_DATA_BYTES = 64 << 20
"""Of one file that is read again; a record of 5,000 releases has 2 MiB."""

_THREADS = 16
_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Draft:
    """Files below `status/` that are about to be written, and those that are there."""

    tree: Tree
    _files: dict[str, bytes | None] = field(default_factory=dict)

    def put(self, path: str, data: bytes) -> None:
        """This file will be written, after those that were put before it."""
        self._files.pop(path, None)
        self._files[path] = data

    def remove(self, path: str) -> None:
        """There will be no such file."""
        self._files.pop(path, None)
        self._files[path] = None

    def read(self, path: str) -> bytes | None:
        """The file as it will be; None when there is none."""
        return self._files[path] if path in self._files else read_data(self.tree, path)

    def write(self) -> None:
        """What was put is on disk; what was there already is not touched.

        Raises:
            OSError: the tree cannot be written; some of the files may have been.
        """
        top = self.tree.root / STATUS
        files = {top / path: data for path, data in self._files.items()}
        gone = [path for path, data in files.items() if data is None and path.is_file()]
        changed = {path: data for path, data in files.items() if data is not None and not _holds(path, data)}
        self.tree.written.extend(path.relative_to(self.tree.root).as_posix() for path in (*changed, *gone))
        if not self.tree.only_compares:
            _put_all(changed, gone)
        self._files.clear()


def read_data(tree: Tree, path: str) -> bytes | None:
    """A file below `status/`; None when there is none."""
    try:
        return read_bounded(tree.root / STATUS / path, MAX_DATA_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _put_all(changed: Mapping[Path, bytes], gone: Iterable[Path]) -> None:
    made = {parent for path in changed for parent in _make(path.parent)}
    temporary: list[tuple[Path, Path]] = []
    try:
        for path, data in changed.items():
            temporary.append((path.with_name(f".tmp-{secrets.token_hex(8)}"), path))
            _write_new(temporary[-1][0], data)
        with ThreadPoolExecutor(_THREADS) as pool:
            # Before the renames: some file systems order a rename in front of the data, and a crash then leaves zeros.
            _all(pool.map(_sync_file, [each for each, _ in temporary]))
            for each, path in temporary:
                each.replace(path)
            for path in gone:
                path.unlink()
            _all(pool.map(sync_directory, sorted(made | {path.parent for path in (*changed, *gone)})))
    except BaseException:
        for each, _ in temporary:
            each.unlink(missing_ok=True)
        raise


def _holds(path: Path, data: bytes) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != len(data):
        return False
    return read_bounded(path, len(data)) == data


def _make(directory: Path) -> list[Path]:
    """Make it and what is missing above it; gives the directories in which a name is new."""
    if directory.is_dir():
        return []
    above = _make(directory.parent)
    directory.mkdir(exist_ok=True)
    return [*above, directory.parent]


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), _MODE)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _all(results: Iterable[None]) -> None:
    """Wait for each, and raise what one of them raised."""
    for _ in results:
        continue

"""One directory, read as what it is at one moment: by its descriptor, following no link.

An install puts a whole directory in another's place. Who reads by path could then meet the lock of one and the wheel of
the other; who reads by descriptor meets one of them, to the end or until it is taken away.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assess_registry.errors import ConfigError, TrustError

Kind = Literal["file", "directory", "link", "other"]

MAX_ENTRIES = 5000
"""Of one directory. The largest closure we measured has 571 wheels for all targets."""


class GoneError(Exception):
    """What was there a moment ago is there no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenDirectory:
    """A directory that is held open.

    Attributes:
        path: as it was opened; for messages.
    """

    path: Path
    descriptor: int

    def entries(self) -> dict[str, Kind]:
        """Every entry by name, in the order of names, and what it is; links are not followed.

        Raises:
            TrustError: step `folder`; there are more than `MAX_ENTRIES`.
        """
        found: dict[str, Kind] = {}
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                found[entry.name] = _kind(entry)
                if len(found) > MAX_ENTRIES:
                    raise TrustError(
                        "it holds more than a folder of plugins can",
                        step="folder",
                        thing=str(self.path),
                        expected=f"at most {MAX_ENTRIES} entries",
                        got="more",
                        next_step="find out who put all this there and remove it, or install into another folder",
                    )
        return dict(sorted(found.items()))

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """The whole file of this name.

        Raises:
            GoneError: there is none any more.
            TrustError: step `length`, it has more than `max_bytes`; step `folder`, it is no regular file.
            OSError: it may not be read.
        """
        # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever; for a regular file it means nothing.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=self.descriptor)
        except FileNotFoundError as error:
            raise GoneError(f"{self.path / name} is gone") from error
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise TrustError(
                "it is a symbolic link, and what is verified is the file itself",
                step="folder",
                thing=str(self.path / name),
                next_step="find out who put it there; name the file that it leads to, or copy that here",
            ) from error
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise TrustError("it is no regular file", step="folder", thing=str(self.path / name))
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise TrustError(
                "it is longer than it may be",
                step="length",
                thing=str(self.path / name),
                expected=f"at most {max_bytes} bytes",
                got=f"{max(len(data), (self.path / name).stat().st_size)} bytes",
                next_step="do not use it; install the plugin again",
            )
        return data

    def is_current(self) -> bool:
        """Whether `path` still leads to this very directory."""
        try:
            now, held = self.path.stat(), os.fstat(self.descriptor)
        except FileNotFoundError:
            return False
        return (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino)


@contextlib.contextmanager
def opened(path: Path, *, follow: bool) -> Iterator[OpenDirectory]:
    """Inside, the directory is held open.

    Args:
        path: where it lies.
        follow: whether `path` itself may be a link; an operator's own may, what lies in a folder may not.

    Raises:
        ConfigError: there is none.
        OSError: it may not be read.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"{path}: there is no such directory") from error
    try:
        yield OpenDirectory(path=path, descriptor=descriptor)
    finally:
        os.close(descriptor)


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "file" if entry.is_file(follow_symlinks=False) else "other"

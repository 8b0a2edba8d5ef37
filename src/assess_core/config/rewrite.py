"""A configuration file is changed where it lies: whole, or not at all, and only into one that loads.

    rewrite(path, lambda text: with_waiver(text, waiver))

It keeps its mode and its owner; a link stays a link, and what it leads to is changed. Two that change it at once do so
one after the other. What reads it meanwhile finds the file as it was or as it is; what runs for long follows by itself.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assess_core.config.load import MAX_BYTES, load, parse
from assess_core.config.model import Config
from assess_core.errors import AssessError, ConfigError
from assess_registry.client import plain, sync_directory

_TRIES = 100
"""Of taking a lock on a file that somebody else has put another in the place of meanwhile."""


def rewrite(path: Path, change: Callable[[str], str]) -> Config:
    """The file holds what `change` made of its text; the configuration that this is.

    Raises:
        ConfigError: it does not load, would not load afterwards, or `change` refuses; nothing has changed.
        TrustError: others can write to the file or to a directory on its path.
        AssessError: it may not be written, or there is no room; nothing has changed.
    """
    load(path)  # says what is wrong with it as every command does, and refuses what others can write
    target = path.resolve()
    with _locked(target) as descriptor:
        data = _content(descriptor)
        mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
        try:
            made = mark + change(data.decode("utf-8-sig")).encode()
        except UnicodeEncodeError as error:
            raise ConfigError(f"{plain(path)}: what was given is no text that can be written as UTF-8") from error
        if len(made) > MAX_BYTES:
            raise ConfigError(f"{plain(path)}: would have {len(made)} bytes; a configuration has at most {MAX_BYTES}")
        config = parse(made, path)
        try:
            _replace(target, made, os.fstat(descriptor))
        except OSError as error:
            why = error.strerror or str(error)
            raise AssessError(f"{plain(target)}: cannot be written: {why}; nothing was changed") from error
    return config


def _content(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read()


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, open, and nobody else changes it in this way."""
    for _ in range(_TRIES):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                yield descriptor
                return
        finally:
            os.close(descriptor)
    raise ConfigError(f"{plain(path)}: others keep changing it; nothing was changed")


def _replace(path: Path, data: bytes, like: os.stat_result) -> None:
    """`path` holds this, with the mode and owner that it had."""
    temporary = path.with_name(f".tmp-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), like.st_mode & 0o7777)
            os.fsync(file.fileno())  # before the rename: a crash could leave a file of zeros
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)

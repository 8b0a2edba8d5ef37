"""What may be asked of a host at all, whichever host it is: checked before anything is compared with permissions.

A worker's host, the runtime behind it and the hosts of the testing kit all ask here, so that a plugin which was
refused nothing while it was being written is refused nothing of this kind in earnest. The runtime asks again, because
it believes nothing that a worker has checked.
"""

import errno
import os
import re
from collections.abc import Collection, Sequence
from typing import Any

from assess_plugin.models import MAX_ID, MAX_TEXT, HostError

MAX_PATH = 4096
"""Characters of a path: PATH_MAX, beyond which the operating system answers ENAMETOOLONG."""

MAX_ARGUMENTS = 1_000
MAX_ARGV_CHARACTERS = 128 * 1024

MAX_COUNT = 1 << 53
"""Largest number in `progress`: every codec agrees on integers up to here."""

MAX_HOST = 253
"""Characters of a host's name (RFC 1035, 2.3.4)."""

MAX_SECRET_NAME = 64

LOG_LEVELS = ("debug", "info", "warning", "error")


def require_argv(argv: Sequence[str]) -> tuple[str, ...]:
    """The command as a tuple of words.

    Raises:
        TypeError: it is no sequence of strings, or an empty one.
        HostError: it has too many words, too long ones, or ones that no program can be given.
    """
    if isinstance(argv, str) or not argv or not all(isinstance(argument, str) for argument in argv):
        raise TypeError(f"argv must be a sequence of strings, got {argv!r}"[:500])
    if len(argv) > MAX_ARGUMENTS or sum(map(len, argv)) > MAX_ARGV_CHARACTERS:
        raise HostError(
            f"command {argv[0][:100]!r} has more than {MAX_ARGUMENTS} arguments or {MAX_ARGV_CHARACTERS} characters"
        )
    if not all(map(_can_be_named, argv)):
        raise HostError(f"an argument of {argv[0][:100]!r} holds a NUL or is not text")
    return tuple(argv)


def require_timeout(timeout_s: float) -> float:
    """The time a command may take; what is left of the call bounds it further.

    Raises:
        ValueError: it is not a positive number.
    """
    if not 0 < timeout_s < float("inf"):  # false for NaN, too
        raise ValueError(f"timeout_s must be a positive number, got {timeout_s}")
    return float(timeout_s)


def require_path(path: str | os.PathLike[str]) -> str:
    """The path as text.

    Raises:
        TypeError: it is bytes, or no path at all.
        HostError: it holds a NUL, or what is not text.
        OSError: it is too long (ENAMETOOLONG).
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path must be text, got {text!r}"[:500])
    if not text or not _can_be_named(text):
        raise HostError(f"{text[:500]!r} is not a path")
    if len(text) > MAX_PATH:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), text)
    return text


def require_peer(host: str, port: int) -> tuple[str, int]:
    """The host in lower case and without a last dot, and the port.

    Raises:
        TypeError: they are no text and no whole number.
        HostError: nothing can have that name or address, or that port.
    """
    given: tuple[Any, Any] = host, port  # whose types are not to be believed yet
    if not isinstance(given[0], str) or type(given[1]) is not int:
        raise TypeError(f"connect needs a host's name or address and a port's number, got {host!r}, {port!r}"[:500])
    name = host.lower().removesuffix(".")
    if (
        not host.isascii()
        or len(name) > MAX_HOST
        or not (_HOST_NAME.match(name) or (":" in name and _ADDRESS.match(name)))
    ):
        raise HostError(f"{host[:MAX_HOST]!r} is neither a host's name nor an address")
    if not 1 <= port <= 65535:
        raise HostError(f"{port} is not a port: one of 1 to 65535 is")
    return name, port


def require_secret_name(name: str) -> str:
    """The name of a secret.

    Raises:
        TypeError: it is no text.
        HostError: no secret can have this name.
    """
    if not isinstance(name, str):
        raise TypeError(f"a secret's name must be text, got {name!r}"[:500])
    if not _SECRET_NAME.match(name):
        raise HostError(f"{name[:MAX_SECRET_NAME]!r} is not the name of a secret: lower-case letters, digits, '_', '-'")
    return name


def require_level(level: str) -> None:
    """A log line has one of the four levels, or this is a `ValueError`."""
    if level not in LOG_LEVELS:
        raise ValueError(f"level must be one of {', '.join(LOG_LEVELS)}, got {level!r}"[:500])


def require_progress(done: int, total: int) -> None:
    """Both are whole numbers from 0, or this is a `ValueError`."""
    if not (_is_count(done) and _is_count(total)):
        raise ValueError(f"progress needs two whole numbers from 0, got {done!r} and {total!r}"[:500])


def require_evidence(name: str, data: bytes, media_type: str) -> memoryview:
    """The evidence's bytes.

    Raises:
        ValueError: the name or the media type cannot be one.
        TypeError: the data is not bytes.
    """
    if not _is_name(name):
        raise ValueError(f"evidence needs a name of 1 to {MAX_ID} printable characters, got {name!r}"[:500])
    if not _is_media_type(media_type):
        raise ValueError(f"evidence {name!r} needs a media type such as text/plain, got {media_type!r}"[:500])
    return memoryview(data).cast("B")


def require_check(check_id: str, asked: Collection[str]) -> None:
    """The check was asked for in this call, or this is a `ValueError`."""
    if check_id not in asked:
        raise ValueError(f"check {check_id!r} was not asked for in this call"[:500])


def clip(text: object) -> str:
    """Text that can be sent as text for people: at most `MAX_TEXT` characters, no lone surrogates."""
    return str(text)[:MAX_TEXT].encode("utf-8", "replace").decode()


_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_ADDRESS = re.compile(r"[0-9a-f:.]{2,45}\Z")
_SECRET_NAME = re.compile(rf"[a-z][a-z0-9_-]{{0,{MAX_SECRET_NAME - 1}}}\Z")


def _can_be_named(text: str) -> bool:
    """Whether a message and a system call can hold it: no NUL, no lone surrogate."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _is_count(number: object) -> bool:
    return isinstance(number, int) and 0 <= number <= MAX_COUNT


def _is_name(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= MAX_ID and text.isprintable()


def _is_media_type(text: object) -> bool:
    return isinstance(text, str) and len(text) <= MAX_ID and text.isascii() and text.isprintable() and "/" in text[1:-1]

"""What the families ask of the host. Bounded, and never quietly incomplete.

A file that is larger than expected, is binary, or a command that fails, raises; nothing here returns a part of what
was asked for as though it were all of it.
"""

import errno
from collections.abc import Sequence
from typing import BinaryIO

from assess_host_baseline.formats.text import Malformed, shown
from assess_plugin import CommandResult, Host, HostError

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Of any one file read here: /etc/passwd of a host with 50,000 accounts has 3 MiB."""

PIECE_BYTES = 64 * 1024
"""Read at once. 4 MiB are refused by the kernel as too many for one of its parameters."""


def read_text(host: Host, path: str) -> str:
    r"""The whole text of a file; bytes that are not UTF-8 appear as `\xNN`.

    Raises:
        OSError: it does not exist, or may not be read.
        Malformed: it is larger than `MAX_FILE_BYTES` or holds a NUL byte.
    """
    with host.open(path) as file:
        data = _read(file, MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise Malformed(f"{path} is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")
    if b"\0" in data:
        raise Malformed(f"{path} is binary: it holds a NUL byte")
    return data.decode("utf-8", "backslashreplace")


def exists(host: Host, path: str) -> bool:
    """Whether something has this path.

    Raises:
        PermissionError: a directory above may not be searched, so it cannot be known.
    """
    try:
        host.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def output(host: Host, argv: Sequence[str], *, timeout_s: float = 10.0) -> str:
    """The whole standard output of a command that succeeded.

    Raises:
        HostError: it could not be run, or did not end in time.
        Malformed: it failed, or said more than the host hands on.
    """
    return _stdout(host.run(argv, timeout_s=timeout_s))


def listing(host: Host, argv: Sequence[str]) -> tuple[str, ...]:
    """What a `find` printed, each entry ended by a NUL: the one byte that no name holds.

    Raises:
        PermissionError: a directory may not be searched.
        HostError, Malformed: as for `output`, or the last entry is not whole.
    """
    result = host.run(argv, timeout_s=10.0)
    if result.exit_code != 0 and b"Permission denied" in result.stderr:
        raise PermissionError(errno.EACCES, "Permission denied", f"a directory below {argv[1]}")
    return nul_ended(_stdout(result))


def nul_ended(text: str) -> tuple[str, ...]:
    """What stands before each NUL.

    Raises:
        Malformed: the last one is not ended, so the text was cut short.
    """
    *whole, rest = text.split("\0")
    if rest:
        raise Malformed(f"a list of names ends in the middle of {shown(rest)!r}")
    return tuple(whole)


def first_line(text: bytes) -> str:
    """The first line of an error output, or a word that there was none."""
    lines = text.decode("utf-8", "backslashreplace").strip().splitlines()
    return shown(lines[0]) if lines else "no message"


def _read(file: BinaryIO, most: int) -> bytes:
    """Up to so many bytes, in pieces: a file of /proc/sys answers one large read with ENOMEM (Linux, proc_sysctl.c)."""
    data = b""
    while len(data) < most and (piece := file.read(min(PIECE_BYTES, most - len(data)))):
        data += piece
    return data


def _stdout(result: CommandResult) -> str:
    program = result.argv[0]
    if result.exit_code != 0:
        raise HostError(f"{program} failed with exit code {result.exit_code}: {first_line(result.stderr)}")
    if result.truncated:
        raise Malformed(f"the output of {program} is too long and was cut short")
    return result.stdout.decode("utf-8", "backslashreplace")

"""`openat2`, which Python has no name for: opening a path through which nobody leads anywhere else (openat2(2))."""

import ctypes
import errno
import os

_NUMBER = 437
"""The same on every machine (asm-generic/unistd.h); since Linux 5.6."""

_AT_FDCWD = -100
_NO_MAGICLINKS, _NO_SYMLINKS = 0x02, 0x04

_UNKNOWN = (errno.ENOSYS, errno.EPERM)
"""What an older kernel says, and what the filters of some containers say in its place."""


class _How(ctypes.Structure):
    """`struct open_how`."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class UnknownCallError(Exception):
    """The kernel has no `openat2`, or lets nobody call it."""


def open_without_links(path: str, flags: int) -> int:
    """A descriptor of what lies at this absolute path, no part of which is a link: nor is any put there meanwhile.

    With `O_PATH | O_NOFOLLOW` the last part may be one, which is then what is opened.

    Raises:
        OSError: it cannot be opened; ELOOP where there is a link.
        UnknownCallError: see there.
    """
    how = _How(flags=flags | os.O_CLOEXEC, mode=0, resolve=_NO_SYMLINKS | _NO_MAGICLINKS)
    found: int = _libc.syscall(
        ctypes.c_long(_NUMBER),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(path)),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if found < 0:
        number = ctypes.get_errno()
        if number in _UNKNOWN:
            raise UnknownCallError
        raise OSError(number, os.strerror(number), path)
    return found

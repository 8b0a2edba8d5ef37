"""This process, copied: the copy is a child of our parent's, not of ours, and known there by a descriptor.

What `os.fork` does, with `CLONE_PARENT` and `CLONE_PIDFD`, which Python has no name for: so whoever asked for the
process waits for it, is its `getppid()`, and takes it along when he ends (PR_SET_PDEATHSIG), as if he had started it
himself. The C library's own fork is repeated here as far as it matters to a process with one thread: it keeps the
thread's number in memory, which the kernel writes anew for the copy (CLONE_CHILD_SETTID), and a list of locks, which is
set anew.

`ctypes` is imported here and in `isolate`, nowhere else in a worker.
"""

import ctypes
import os
import signal

_CLONE_PIDFD, _CLONE_PARENT, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x1000, 0x8000, 0x200000, 0x1000000
_FLAGS = _CLONE_PIDFD | _CLONE_PARENT | _CLONE_CHILD_CLEARTID | _CLONE_CHILD_SETTID | signal.SIGCHLD

_NUMBERS = {"x86_64": (56, 273, 274), "aarch64": (220, 99, 100)}
"""clone, set_robust_list, get_robust_list."""

_PDEATHSIG, _SET_NAME, _GET_TID_ADDRESS = 1, 15, 40
"""PR_* (linux/prctl.h)."""

_ARG_START, _ARG_END = 45, 46
"""Where a process's arguments are, in what follows the name in its `stat`: fields 48 and 49 (proc_pid_stat(5))."""

# Not CDLL, which lets go of the interpreter's lock over a call: the copy must have it, as after os.fork.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
for _name in ("PyOS_BeforeFork", "PyOS_AfterFork_Child", "PyOS_AfterFork_Parent"):
    getattr(ctypes.pythonapi, _name).restype = None


class UnforkableError(Exception):
    """This process cannot be copied; the message says why."""


class Forking:
    """Makes copies of this process, which has one thread.

    Raises:
        UnforkableError: the machine or the C library is none of those for which it is known how.
    """

    def __init__(self) -> None:
        machine = os.uname().machine
        if machine not in _NUMBERS:
            raise UnforkableError(f"nothing is known of clone on {machine}")
        self._clone, self._set_robust, get_robust = _NUMBERS[machine]
        self._tls_first = machine == "aarch64"
        self._tid = _tid_address()
        self._robust, self._robust_size = ctypes.c_ulong(0), ctypes.c_ulong(0)
        self._pidfd = ctypes.c_int(-1)
        found = (ctypes.byref(self._robust), ctypes.byref(self._robust_size))
        if _libc.syscall(ctypes.c_long(get_robust), ctypes.c_int(0), *found) != 0:
            raise UnforkableError(f"get_robust_list: {_last_error()}")

    def fork(self) -> tuple[int, int]:
        """The copy's process id and a descriptor of it; in the copy 0 and -1.

        Raises:
            OSError: there is none.
        """
        none, tid = ctypes.c_void_p(None), ctypes.c_void_p(self._tid)
        last = (none, tid) if self._tls_first else (tid, none)
        ctypes.pythonapi.PyOS_BeforeFork()
        pid = _libc.syscall(ctypes.c_long(self._clone), ctypes.c_ulong(_FLAGS), none, ctypes.byref(self._pidfd), *last)
        if pid == 0:
            _libc.syscall(ctypes.c_long(self._set_robust), self._robust, self._robust_size)
            ctypes.pythonapi.PyOS_AfterFork_Child()
            return 0, -1
        number = ctypes.get_errno()
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        if pid < 0:
            raise OSError(number, os.strerror(number))
        return int(pid), self._pidfd.value


def die_with_parent() -> None:
    """The kernel kills this process when the thread that started it ends; a copy has to ask for itself."""
    _libc.prctl(ctypes.c_int(_PDEATHSIG), *map(ctypes.c_ulong, (signal.SIGKILL, 0, 0, 0)))


def show_as(title: str) -> None:
    """`ps` shows this in place of the command, cut to the room that the command took; its first word is the name."""
    words = title.encode()
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123  pathlib is not among the modules that a worker has loaded
        fields = file.read(4096).rpartition(b")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    ctypes.memmove(start, words.ljust(end - start, b"\0")[: end - start - 1] + b"\0", end - start)
    be_called(title.split(maxsplit=1)[0])


def be_called(name: str) -> None:
    """This process is, 15 bytes of it, also once it is dead and nobody has waited for it; and so are its copies."""
    buffer = ctypes.create_string_buffer(name.encode()[:15], 16)
    _libc.prctl(ctypes.c_int(_SET_NAME), buffer, *map(ctypes.c_ulong, (0, 0, 0)))


def _tid_address() -> int:
    """Where the C library keeps this thread's number, as the kernel was told.

    Raises:
        UnforkableError: nowhere (musl), or the kernel does not say (built without CHECKPOINT_RESTORE).
    """
    found = ctypes.c_ulong(0)
    if _libc.prctl(ctypes.c_int(_GET_TID_ADDRESS), ctypes.byref(found), *map(ctypes.c_ulong, (0, 0, 0))) != 0:
        raise UnforkableError(f"prctl PR_GET_TID_ADDRESS: {_last_error()}")
    if not found.value or ctypes.c_int.from_address(found.value).value != os.getpid():
        raise UnforkableError("the C library does not keep the number of its thread where the kernel was told")
    return found.value


def _last_error() -> str:
    return os.strerror(ctypes.get_errno())

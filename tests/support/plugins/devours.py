"""A plugin that takes what the first check's id says, as much as its settings say, and holds it until it is let go.

`size` is in MiB where bytes are meant, else a number. It answers when it has had it for a while, `held_s` if that is
given: a plugin below its limits passes.
"""

import hashlib
import itertools
import mmap
import os
import socket
import threading
import time
from typing import Any

from assess_plugin import ActionInput, ActionOutput, CheckResult, Outcome, hookimpl

MIB = 1 << 20
PAGE = 4096
HELD_S = 1.5
"""Long enough to be looked at several times."""

HELD_LONG_S = 8.0
"""A tree of many files, which takes long to count, is counted after twenty times as long again."""

_kept: list[Any] = []


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    name = input.checks[0]
    _kept.clear()
    globals()[name.replace("-", "_")](int(input.settings.get("size", 0)))
    if name not in ("well", "processor"):
        time.sleep(input.settings.get("held_s", HELD_LONG_S if name == "empty-files" else HELD_S))
    return ActionOutput(results=(CheckResult(check_id=name, outcome=Outcome.PASS, actual=str(os.getpid())),))


def well(size: int) -> None:
    """Nothing at all."""


def bytearrays(size: int) -> None:
    _kept.extend(bytearray(b"x" * MIB) for _ in range(size))


def shared_memory(size: int) -> None:
    block = mmap.mmap(-1, size * MIB)  # shared, anonymous: no rlimit counts it
    _kept.append(block)
    for offset in range(0, size * MIB, PAGE):
        block[offset] = 1


def shared_memory_given_back(size: int) -> None:
    """Resident nowhere, and allocated all the same."""
    block = mmap.mmap(-1, size * MIB)
    _kept.append(block)
    for offset in range(0, size * MIB, MIB):
        block[offset : offset + MIB] = b"x" * MIB
        block.madvise(mmap.MADV_DONTNEED, offset, MIB)


def memory_in_threads(size: int) -> None:
    crowd = [threading.Thread(target=bytearrays, args=(size // 8,)) for _ in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()


def page_tables(size: int) -> None:
    """Of memory that is only read, which is one page for all of it, but not one table."""
    block = mmap.mmap(-1, size * 512 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)
    _kept.append(block)
    sum(block[offset] for offset in range(0, size * 512 * MIB, 2 * MIB))


def more_than_there_is(size: int) -> None:
    _kept.append(bytearray(size * MIB))


def processor(size: int) -> None:
    """In C, which never looks for signals, in two threads at once, `size` tenths of a second of it."""
    until = time.process_time() + size / 10

    def burn() -> None:
        while time.process_time() < until:
            hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 50_000)

    crowd = [threading.Thread(target=burn) for _ in range(2)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()


def threads(size: int) -> None:
    done = threading.Event()
    _kept.append(done)
    for _ in range(size):
        threading.Thread(target=done.wait, args=(HELD_S,), daemon=True).start()


def threads_left_behind(size: int) -> None:
    """The answer comes at once, and then they begin."""

    def later() -> None:
        time.sleep(HELD_S + 1)
        bytearrays(size)
        time.sleep(60)

    threading.Thread(target=later, daemon=True).start()


def descriptors(size: int) -> None:
    _kept.extend(open("/dev/null", "rb") for _ in range(size))  # noqa: PTH123, SIM115


def one_file(size: int) -> None:
    with open("big", "wb") as file:  # noqa: PTH123
        _fill(file, size)


def many_files(size: int) -> None:
    for number in range(size):
        with open(f"file-{number}", "wb") as file:  # noqa: PTH123
            _fill(file, 1)


def empty_files(size: int) -> None:
    for number in range(size):
        os.close(os.open(f"empty-{number}", os.O_CREAT | os.O_WRONLY))


def sparse_file(size: int) -> None:
    with open("sparse", "wb") as file:  # noqa: PTH123
        file.write(b"x")
        file.truncate(size * MIB)


def unlinked_files(size: int) -> None:
    for _ in range(size):
        file = open("gone", "w+b")  # noqa: PTH123, SIM115
        _kept.append(file)
        os.unlink("gone")  # noqa: PTH108
        _fill(file, 1)


def mapped_files(size: int) -> None:
    """Deleted, closed, and one page of each mapped."""
    _kept.extend(_map("mapped", 1) for _ in range(size))


def files_in_flight(size: int) -> None:
    """Deleted, closed, and on their way through a socket to ourselves."""
    ours, theirs = socket.socketpair()
    _kept.extend((ours, theirs))
    for _ in range(size):
        with open("flying", "w+b") as file:  # noqa: PTH123
            _fill(file, 1)
            socket.send_fds(ours, [b"x"], [file.fileno()])
        os.unlink("flying")  # noqa: PTH108


def files_behind_one_more_socket(size: int) -> None:
    """The socket that they wait in is itself on its way, so that no table of ours names it."""
    outer, inner = socket.socketpair(), socket.socketpair()
    _kept.extend((*outer, inner[0]))
    if size:
        socket.send_fds(outer[0], [b"x"], [inner[1].fileno()])
    inner[1].close()
    for _ in range(size):
        with open("flying", "w+b") as file:  # noqa: PTH123
            _fill(file, 1)
            socket.send_fds(inner[0], [b"x"], [file.fileno()])
        os.unlink("flying")  # noqa: PTH108


def deep_tree(size: int) -> None:
    for _ in range(size):
        os.mkdir("d")  # noqa: PTH102
        os.chdir("d")


def closed_directory(size: int) -> None:
    if os.path.exists("closed"):  # noqa: PTH110
        os.chmod("closed", 0o700)  # noqa: PTH101
    else:
        os.mkdir("closed")  # noqa: PTH102
    os.chdir("closed")
    many_files(size)
    os.chdir("..")
    os.chmod("closed", 0)  # noqa: PTH101


def floods(size: int) -> None:
    for number in itertools.count():
        os.write(1, b"%d " % number * 1000)
        if number * 1000 > size * MIB:
            break


def _fill(file: Any, size: int) -> None:
    for _ in range(size):
        file.write(b"x" * MIB)
    file.flush()


def _map(name: str, size: int) -> mmap.mmap:
    import ctypes

    with open(name, "w+b") as file:  # noqa: PTH123
        _fill(file, size)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        # mmap.mmap would keep a descriptor of its own
        found = libc.mmap(None, ctypes.c_size_t(PAGE), 1, 1, file.fileno(), ctypes.c_long(0))
        if found in (None, ctypes.c_void_p(-1).value):
            raise OSError(ctypes.get_errno(), "mmap")
    os.unlink(name)  # noqa: PTH108
    return found  # type: ignore[no-any-return]

"""Real file systems for tests as root: read-only ones and full ones, which nobody else on the machine sees.

def work():
    mount_tmpfs(path, mib=8)
    ...
in_mounts(work)              the child's exit code; its mounts are gone with it
"""

import ctypes
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

_CLONE_NEWNS = 0x20000


def may_mount() -> bool:
    """Whether this process may have mounts of its own."""
    return in_mounts(lambda: None) == 0


def in_mounts(work: Callable[[], object]) -> int:
    """Do this in a child with mounts of its own; gives its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
                os._exit(77)
            _mount("--make-rprivate", "/")
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def mount_read_only(path: Path) -> None:
    """What is at this path cannot be written to any more."""
    _mount("--bind", str(path), str(path))
    _mount("-o", "remount,bind,ro", str(path))


def mount_tmpfs(path: Path, *, kib: int) -> None:
    """An empty file system of this size is at this path, which is made."""
    path.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={kib}k,mode=0700", "tmpfs", str(path))


def fill(directory: Path, *, leave: int) -> Path:
    """A file that takes all room of this file system but so many bytes; remove it to have the room back."""
    status = os.statvfs(directory)
    path = directory / "fill"
    free = status.f_bavail * status.f_frsize - leave
    path.write_bytes(b"\0" * max(0, free))
    return path


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)

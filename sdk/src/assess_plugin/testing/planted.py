r"""A host made of files that a test has planted: any owner, any mode, any user, and no need to be root.

Paths are those the plugin would use on a real machine; they are looked up below `root`, symbolic links included, so
that no link and no `..` leads out of the tree. Who owns what is kept beside the tree: everything belongs to root
unless planted otherwise. `user` is who asks: with another than 0, a mode that keeps that user out raises
`PermissionError`, as it would in earnest.

    host = PlantedHost(tmp_path, manifest=manifest, commands={("uname", "-m"): b"x86_64\n"})
    host.plant("/etc/shadow", "root:*:19000::::::\n", mode=0o640, gid=42)
    host.user = (1000, 1000)
"""

import errno
import io
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from assess_plugin.models import CommandResult, Denied, FileStatus, HostError
from assess_plugin.testing.manifest import PluginManifest
from assess_plugin.testing.recording import RecordingHost

Answer = CommandResult | bytes | str | HostError
"""What a planted command says: a whole result, its standard output (exit code 0), or an error to raise."""

ROOT = (0, 0)
MAX_LINKS = 40
"""Links followed in one look-up before ELOOP (path_resolution(7))."""


class PlantedHost(RecordingHost):
    """A real `Host` over a planted tree.

    Attributes:
        commands: the answer to each argv; one that is permitted and not planted raises `HostError`.
        user: uid and gid of who asks.
    """

    def __init__(
        self, root: Path, commands: Mapping[tuple[str, ...], Answer] | None = None, *, manifest: PluginManifest
    ) -> None:
        super().__init__(manifest)
        self.root = root
        self._base = str(root)
        self.commands: dict[tuple[str, ...], Answer] = dict(commands or {})
        self.user = ROOT
        self._owners: dict[str, tuple[int, int]] = {}
        self._modes: dict[str, int] = {}
        root.mkdir(parents=True, exist_ok=True)

    def plant(self, path: str, content: bytes | str = b"", *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Put a regular file there, in place of whatever was; directories above appear as 0755 root."""
        place = self._place(path)
        self.remove(path)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        self._own(path, mode, uid, gid)

    def plant_directory(self, path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Put a directory there, or change the one that is there."""
        self._place(path).mkdir(exist_ok=True)
        self._own(path, mode, uid, gid)

    def plant_link(self, path: str, target: str) -> None:
        """Put a symbolic link there; an absolute target means a path of this host."""
        self.remove(path)
        self._place(path).symlink_to(target)

    def remove(self, path: str) -> None:
        """Take a file, link or empty directory away, if it is there."""
        place = self._place(path)
        try:
            place.unlink()
        except FileNotFoundError:
            return
        except IsADirectoryError:
            place.rmdir()
        self._owners.pop(path, None)
        self._modes.pop(path, None)

    def own(self, path: str, *, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Change mode or owner of what is there already."""
        status = self._status(path)
        self._own(
            path,
            stat.S_IMODE(status.mode) if mode is None else mode,
            status.uid if uid is None else uid,
            status.gid if gid is None else gid,
        )

    def _run(self, argv: tuple[str, ...], timeout_s: float) -> CommandResult:  # noqa: ARG002  answers take no time
        answer = self.commands.get(argv)
        match answer:
            case None:
                raise HostError(f"{argv[0]}: no such command on the planted host; plant an answer to {list(argv)}")
            case HostError():
                raise answer
            case CommandResult():
                return answer
            case str() | bytes():
                stdout = answer.encode() if isinstance(answer, str) else answer
                return CommandResult(argv=argv, exit_code=0, stdout=stdout, stderr=b"")

    def _open(self, path: str) -> BinaryIO:
        resolved = self._resolve(path, follow=True)
        if self.permissions.read_for(resolved) is None:
            raise Denied(f"open {path!r} leads to {resolved!r}: add it to `permissions.read` of assess-plugin.toml")
        self._let(resolved, 0o4)
        mode = self._lstat(resolved, path).st_mode
        if stat.S_ISDIR(mode):
            raise _os_error(errno.EISDIR, path)
        if not stat.S_ISREG(mode):
            raise HostError(f"{path} is not a regular file")
        return io.BufferedReader(io.FileIO(f"{self._base}{resolved}"))

    def _stat(self, path: str) -> FileStatus:
        return self._status(self._resolve(path, follow=False))

    def _status(self, path: str) -> FileStatus:
        found = self._lstat(path, path)
        uid, gid = self._owners.get(path, ROOT)
        mode = self._modes.get(path, 0o755 if stat.S_ISDIR(found.st_mode) else stat.S_IMODE(found.st_mode))
        return FileStatus(mode=stat.S_IFMT(found.st_mode) | mode, uid=uid, gid=gid, size=found.st_size)

    def _resolve(self, path: str, *, follow: bool) -> str:
        """The path without links, as a chroot would see it; the last link is kept unless `follow`."""
        todo, done, links = path.strip("/").split("/")[::-1], "", 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            self._let(done or "/", 0o1)
            here = f"{done}/{part}"
            if not stat.S_ISLNK(self._lstat(here, path).st_mode) or not (todo or follow):
                done = here
                continue
            links += 1
            if links > MAX_LINKS:
                raise _os_error(errno.ELOOP, path)
            target = str((self.root / here[1:]).readlink())
            done = "" if target.startswith("/") else done
            todo += target.strip("/").split("/")[::-1]
        return done or "/"

    def _let(self, path: str, bits: int) -> None:
        """Raise `PermissionError` unless the asking user has these bits (path_resolution(7), permissions)."""
        uid, gid = self.user
        if uid == 0:
            return
        status = self._status(path)
        shift = 6 if uid == status.uid else 3 if gid == status.gid else 0
        if not status.mode >> shift & bits:
            raise _os_error(errno.EACCES, path)

    def _lstat(self, path: str, asked: str) -> os.stat_result:
        try:
            return os.lstat(f"{self._base}{path}")  # not pathlib, which would take half of the time of a look-up
        except OSError as error:
            raise _os_error(error.errno or errno.EIO, asked) from error

    def _place(self, path: str) -> Path:
        place = self.root / path.lstrip("/")
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True)
        return place

    def _own(self, path: str, mode: int, uid: int, gid: int) -> None:
        self._owners[path], self._modes[path] = (uid, gid), mode


def _os_error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)

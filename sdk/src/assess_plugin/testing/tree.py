r"""Planted files: a directory that stands for a host's `/`, with owners and modes kept beside it.

Look-ups follow symbolic links inside the tree, as in a chroot, so that no link and no `..` leads out of it. Everything
belongs to root unless planted otherwise. A tree that many tests begin with is planted once and used as `base`: what a
tree plants or removes on top of it stays its own.
"""

import errno
import os
import stat
from pathlib import Path

from assess_plugin.models import FileStatus

ROOT = (0, 0)
MAX_LINKS = 40
"""Links followed in one look-up before ELOOP (path_resolution(7))."""


class PlantedTree:
    """A tree of planted files.

    Attributes:
        root: the directory that stands for `/`.
        base: the tree below this one.
        user: uid and gid of who looks; with another uid than 0, modes and owners count.
        owners, modes: uid and gid, and permission bits, by path; root and 0755 for a directory that was not planted.
        removed: paths of `base` that are no longer there.
    """

    def __init__(self, root: Path, base: "PlantedTree | None" = None) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root.resolve()
        self.base = base
        self.user: tuple[int, int] = base.user if base else ROOT
        self.owners: dict[str, tuple[int, int]] = dict(base.owners) if base else {}
        self.modes: dict[str, int] = dict(base.modes) if base else {}
        self.removed: set[str] = set()
        self._top = str(self.root)

    def plant(self, path: str, content: bytes | str = b"", *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Put a regular file there, in place of whatever was; directories above appear as 0755 root."""
        self.remove(path)
        self._place(path).write_bytes(content.encode() if isinstance(content, str) else content)
        self.owners[path], self.modes[path] = (uid, gid), mode

    def plant_directory(self, path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Put a directory there, or change the one that is there."""
        self._place(path).mkdir(exist_ok=True)
        self.owners[path], self.modes[path] = (uid, gid), mode

    def plant_link(self, path: str, target: str) -> None:
        """Put a symbolic link there; an absolute target means a path of this tree."""
        self.remove(path)
        self._place(path).symlink_to(target)

    def remove(self, path: str) -> None:
        """Take a file, link or empty directory away, if it is there."""
        place = self._place(path)
        try:
            place.unlink()
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            place.rmdir()
        self.removed.add(path)
        self.owners.pop(path, None)
        self.modes.pop(path, None)

    def own(self, path: str, *, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Change mode or owner of what is there already."""
        now = self.status(path)
        self.owners[path] = (now.uid if uid is None else uid, now.gid if gid is None else gid)
        self.modes[path] = stat.S_IMODE(now.mode) if mode is None else mode

    def below(self, path: str) -> tuple[str, ...]:
        """The path and all paths below it, sorted: what `find` would print. Links are not followed."""
        here = self.root / path.lstrip("/")
        found = {f"/{place.relative_to(self.root)}" for place in (here, *here.rglob("*")) if os.path.lexists(place)}
        for other in self.base.below(path) if self.base else ():
            if not any(other == gone or other.startswith(f"{gone}/") for gone in self.removed):
                found.add(other)
        return tuple(sorted(found))

    def status(self, path: str) -> FileStatus:
        """Status of a path that holds no links, or whose last part is one."""
        _, found = self.find(path, path)
        uid, gid = self.owners.get(path, ROOT)
        mode = self.modes.get(path, 0o755 if stat.S_ISDIR(found.st_mode) else stat.S_IMODE(found.st_mode))
        return FileStatus(mode=stat.S_IFMT(found.st_mode) | mode, uid=uid, gid=gid, size=found.st_size)

    def find(self, path: str, asked: str) -> tuple[str, os.stat_result]:
        """Where this path, which leads through no link, lies in truth, and what lies there.

        Raises:
            OSError: nothing does; `filename` is what was `asked` for.
        """
        place = f"{self._top}{path}"  # not pathlib, which would take half of the time of a look-up
        try:
            return place, os.lstat(place)
        except FileNotFoundError as error:
            if self.base is None or path in self.removed:
                raise os_error(errno.ENOENT, asked) from error
            return self.base.find(path, asked)
        except OSError as error:
            raise os_error(error.errno or errno.EIO, asked) from error

    def resolve(self, path: str, *, follow: bool) -> str:
        """The path without links, as a chroot would see it; the last one is kept unless `follow`.

        Raises:
            OSError: it leads nowhere, or through a directory that `user` may not search.
        """
        todo, done, links = path.strip("/").split("/")[::-1], "", 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            self.let(done or "/", 0o1)
            here = f"{done}/{part}"
            place, found = self.find(here, path)
            if not stat.S_ISLNK(found.st_mode) or not (todo or follow):
                done = here
                continue
            links += 1
            if links > MAX_LINKS:
                raise os_error(errno.ELOOP, path)
            target = str(Path(place).readlink())
            done = "" if target.startswith("/") else done
            todo += target.strip("/").split("/")[::-1]
        return done or "/"

    def let(self, path: str, bits: int) -> None:
        """Raise `PermissionError` unless `user` has these bits (path_resolution(7), permissions)."""
        uid, gid = self.user
        if uid == 0:
            return
        status = self.status(path)
        shift = 6 if uid == status.uid else 3 if gid == status.gid else 0
        if not status.mode >> shift & bits:
            raise os_error(errno.EACCES, path)

    def _place(self, path: str) -> Path:
        place = self.root / path.lstrip("/")
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True)
        if place.parent.resolve() != place.parent:
            raise ValueError(f"{path} leads through a link or '..': name the place that is meant")
        return place


def os_error(number: int, path: str) -> OSError:
    """The error that the operating system would raise, of the right class, naming the path."""
    return OSError(number, os.strerror(number), path)

"""What lies in a site on the way to a file, looked at before anything is read or written by its name.

A site is one directory of directories and files. Whoever can make a link in it could have an import write, as its user,
wherever the link leads, or serve what was never signed; so no link is followed, wherever it leads. Where the site is,
the operator says, by a link if they like.
"""

import errno
import os
import stat
from pathlib import Path

from assess_registry.errors import ConfigError


def is_directory(site: Path, name: str) -> bool:
    """Whether this is a directory of the site; False when there is nothing, also not on the way to it.

    Raises:
        ConfigError: a symbolic link, or something else, lies there or on the way.
    """
    parts = [part for part in name.split("/") if part]
    for end in range(1, len(parts) + 1):
        path = site.joinpath(*parts[:end])
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(mode):
            raise _refused(path, "a symbolic link" if stat.S_ISLNK(mode) else "something else")
    return True


def is_file(site: Path, name: str) -> bool:
    """Whether there is a regular file of this name; False also where there is a link, a FIFO or a directory.

    Raises:
        ConfigError: as for `is_directory`, on the way to it.
    """
    return is_directory(site, name.rpartition("/")[0]) and _is_regular(site / name)


def require_writable(site: Path, name: str) -> None:
    """A file of this name can be put into its place, as far as can be seen without doing it.

    Raises:
        ConfigError: as for `is_directory`; or a directory lies in its place.
        OSError: this user may not write there.
    """
    directory = name.rpartition("/")[0]
    while directory and not is_directory(site, directory):
        directory = directory.rpartition("/")[0]
    above = site / directory
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(above))
    if (path := site / name).is_dir() and not path.is_symlink():
        raise ConfigError(f"{path}: expected a file, got a directory; find out who made it, and remove it; nothing "
                          "was changed")  # fmt: skip


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _refused(path: Path, kind: str) -> ConfigError:
    return ConfigError(
        f"{path}: expected a directory of the site, got {kind}, which is not followed; find out who made it, and put a "
        "directory in its place; nothing was changed"
    )

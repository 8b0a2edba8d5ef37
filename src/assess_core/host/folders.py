"""Directories of a plugin's, opened by name below one that is open: never through a link, whatever mode they have."""

import os
import stat

_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC


def open_folder(name: str | os.PathLike[str], parent: int | None = None) -> int:
    """A descriptor of a directory that can be listed; one that its owner, our own user, has closed is opened up.

    Raises:
        FileNotFoundError, NotADirectoryError: there is none; a link to one is none.
        PermissionError: it is another user's, and we are not root.
    """
    try:
        return os.open(name, _LIST | os.O_NOFOLLOW, dir_fd=parent)
    except PermissionError:
        held = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        itself = f"/proc/self/fd/{held}"  # whatever its name leads to by now
        os.chmod(itself, stat.S_IRWXU)  # noqa: PTH101
        return os.open(itself, _LIST)
    finally:
        os.close(held)

"""Files that say what is trusted are in the hands of this user or root alone."""

import os
import pwd
import stat
from pathlib import Path
from typing import NoReturn

from assess_registry.errors import TrustError

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def check_guarded(path: Path) -> None:
    """Whoever can write here decides what is trusted: that is this user or root, and nobody else.

    Raises:
        TrustError: step `keys`; others can write to it, or another user owns it.
        OSError: it is not there or may not be looked at.
    """
    status = path.stat()
    if not is_guarded(status):
        refuse(status, path)


def refuse(
    status: os.stat_result, path: Path, *, step: str = "keys", decides: str = "which keys are trusted"
) -> NoReturn:
    """Say what is wrong with what is not guarded.

    Args:
        status: of what lies at `path`, or on the way to it.
        path: that.
        step: which refuses it.
        decides: what whoever can write there decides.

    Raises:
        TrustError: always.
    """
    commands = [f"chown {_owner_name(os.geteuid())} {path}"] if _is_foreign(status) else []
    commands += [f"chmod go-w {path}"] if status.st_mode & WRITABLE_BY_OTHERS else []
    raise TrustError(
        f"others can change {decides}",
        step=step,
        thing=str(path),
        expected=f"owner uid {os.geteuid()} or 0, writable by nobody else",
        got=f"owner uid {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}",
        next_step=f"if all that lies there is what you put there: {' && '.join(commands)}",
    )


def is_guarded(status: os.stat_result) -> bool:
    """Whether nobody but this user and root owns it or may write to it; of a link, only its owner can tell."""
    writable = status.st_mode & WRITABLE_BY_OTHERS and not stat.S_ISLNK(status.st_mode)
    return not writable and not _is_foreign(status)


def _is_foreign(status: os.stat_result) -> bool:
    return status.st_uid not in (os.geteuid(), 0)


def _owner_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # as in many containers
        return str(uid)

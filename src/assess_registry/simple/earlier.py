"""What an install may remove: what an earlier one put there, and nothing else.

A folder of plugins is told by the names in it, and somebody's directory of sources may have just such names. So a
directory is replaced only when a lock lies in it and it holds nothing but what that lock names. And it is removed file
by file: what came into it between that look and the exchange stays, aside.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from assess_registry.errors import Issue, TrustError
from assess_registry.folder import LOCK_SIGNATURE, STAGING, GoneError, OpenDirectory, opened
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, Lock, parse_lock
from assess_registry.signatures import SIGNATURE_SUFFIX

_STAGED = re.compile(re.escape(STAGING) + r"[0-9a-f]{16}\Z", re.ASCII)
_OURS = (LOCK_NAME, LOCK_SIGNATURE)
_WHEELS = (".whl", ".whl" + SIGNATURE_SUFFIX)
_RULE = "assess: install removes what it installed"


def check_earlier(place: Path) -> None:
    """There is nothing at `place`, or an earlier install, whatever may have happened to its wheels since.

    Raises:
        TrustError: step `folder`; something else lies there, which is not removed.
    """
    if not place.exists():
        return
    with opened(place, follow=False) as held:
        issues = tuple(_foreign(held))
    if issues:
        raise TrustError(
            "this is no earlier install, and what lies there would be lost",
            step="folder",
            thing=str(place),
            expected=f"{LOCK_NAME}, and nothing but what it names",
            got="something else",
            next_step="name another folder; or look at it, and move away what is not an install's",
            issues=issues,
        )


def remove(directory: Path) -> None:
    """The directory and all of it is gone, if it holds nothing but what installs write; else, or on an error, it stays.

    What stays is nowhere in the way: its name begins with `STAGING`, which nobody reads.
    """
    with contextlib.suppress(OSError):
        paths = list(directory.iterdir())
        if all(_may_be_ours(path.name, path.lstat()) for path in paths):
            for path in paths:
                path.unlink()
            directory.rmdir()


def sweep(folder: Path) -> None:
    """Nothing is left in the folder of installs that were killed; for the holder of the folder's lock."""
    for path in folder.iterdir():
        if _STAGED.match(path.name) and stat.S_ISDIR(path.lstat().st_mode):
            remove(path)


def _foreign(held: OpenDirectory) -> Iterator[Issue]:
    entries = held.entries()
    if not entries:
        return
    lock = _lock(held) if entries.get(LOCK_NAME) == "file" else None
    named = {wheel.filename for wheel in lock.wheels} if lock is not None else set()
    for name, kind in entries.items():
        if kind != "file":
            yield _issue(name, "no regular file, and installs write no other")
        elif name not in _OURS and name.removesuffix(SIGNATURE_SUFFIX) not in named:
            yield _issue(name, f"no {LOCK_NAME} here names it")
    if lock is None:
        yield _issue(LOCK_NAME, "there is none that can be read, and every install has one")


def _lock(held: OpenDirectory) -> Lock | None:
    try:
        return parse_lock(held.read(LOCK_NAME, max_bytes=MAX_LOCK_BYTES))
    except (TrustError, GoneError):
        return None


def _may_be_ours(name: str, status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and (name in _OURS or name.endswith(_WHEELS))


def _issue(entry: str, message: str) -> Issue:
    return Issue(id="folder-foreign", entry=entry, message=message, rule=_RULE)

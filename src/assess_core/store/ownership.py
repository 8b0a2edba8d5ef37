"""Nobody but this user and root could have put into the state directory what is there.

What lies in it is run by whoever uses it, and is found by names that anybody can compute. So a state directory that
somebody else made, or may write to, is not used at all: `--state-dir /home/bob/state` must not make root run what bob
put there.

Looked at are the directory, the links on the way to it, and everything directly in it; what is deeper is looked at when
it is used (`read_own`, and `untouched.py` for whole trees). Not looked at are the directories above: who may rename the
state directory is for its owner to decide, and a container's volume often lies in a directory that all may write to.
"""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from assess_registry.client import Issue, TrustError, read_bounded

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

MAX_LINKS = 40
"""That a path may lead through; the kernel follows no more (path_resolution(7))."""

_RULE = "assess: state belongs to who uses it"


def check_ownership(root: Path) -> None:
    """The state directory, if it exists, is this user's or root's, and nobody else may write to it.

    Raises:
        TrustError: step `state`; it is not so. Nothing in it was used.
        OSError: it may not be looked at.
    """
    issues = [*_foreign_links(root)]
    if not issues:
        issues = [*_wrong_with(root, root)]
    if not issues and root.is_dir():  # of somebody else's directory the inside says nothing more
        for name in sorted(os.listdir(root)):  # noqa: PTH208  names
            issues += _wrong_with(root / name, root)
    if issues:
        raise TrustError(
            "somebody else can change what this user would run from it",
            step="state",
            thing=f"state directory {root}",
            next_step=_next_step(root, issues),
            issues=tuple(issues),
        )


def is_foreign(status: os.stat_result) -> bool:
    """Whether this belongs to somebody other than this user and root, who can do anything in any case."""
    return status.st_uid not in (os.geteuid(), 0)


def read_own(path: Path, max_bytes: int) -> bytes:
    """The content of a file in the state directory that nobody else can have written.

    Raises:
        TrustError: step `state`; somebody else could.
        ConfigError, OSError: as `read_bounded`.
    """
    issues = tuple(_wrong_with(path, path))
    if issues:
        raise TrustError("somebody else can have written it", step="state", thing=str(path), issues=issues)
    return read_bounded(path, max_bytes)


def _wrong_with(path: Path, root: Path) -> Iterator[Issue]:
    try:
        status = path.lstat()
        statuses = [status, path.stat()] if stat.S_ISLNK(status.st_mode) else [status]
    except FileNotFoundError:  # not made yet, removed meanwhile, or a link to nothing
        return
    for each in statuses:
        if is_foreign(each):
            yield _issue("state-foreign", path, root, f"belongs to {_user(each.st_uid)}")
        elif each.st_mode & WRITABLE_BY_OTHERS and not stat.S_ISLNK(each.st_mode):
            mode = stat.S_IMODE(each.st_mode)
            yield _issue("state-writable", path, root, f"has mode {mode:04o}: others may write to it")


def steps(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Each directory, link and file on the way to this absolute path, as the kernel goes; not what is not there."""
    here, left, followed = Path(path.anchor), [*path.parts[:0:-1]], 0
    yield here, here.lstat()
    while left:
        name = left.pop()
        here = here.parent if name == os.pardir else here / name
        try:
            status = here.lstat()
            target = here.readlink() if stat.S_ISLNK(status.st_mode) else None
        except OSError:  # not there
            continue
        yield here, status
        if target is None:
            continue
        if (followed := followed + 1) > MAX_LINKS:
            return
        here = Path(target.anchor) if target.is_absolute() else here.parent
        left += [part for part in reversed(target.parts) if part != target.anchor]


def _foreign_links(root: Path) -> Iterator[Issue]:
    """Each link on the way to this absolute path that somebody else may turn elsewhere."""
    for here, status in steps(root):
        if stat.S_ISLNK(status.st_mode) and is_foreign(status):
            yield _issue("state-foreign", here, here, f"is a link that belongs to {_user(status.st_uid)}")


def _issue(id_: str, path: Path, root: Path, message: str) -> Issue:
    entry = str(path) if path == root else path.relative_to(root).as_posix()
    return Issue(id=id_, entry=entry, message=message, rule=_RULE)


def _next_step(root: Path, issues: list[Issue]) -> str:
    if any(issue.id == "state-foreign" for issue in issues):
        return (
            "run as the user it belongs to, or choose another --state-dir; given away, it would bring along what it has"
        )
    if root.stat().st_mode & stat.S_ISVTX:  # of /tmp, for example
        return "it is there for all users, so leave it as it is, and choose another --state-dir"
    return (
        f"if nobody else can have put anything there: chmod -R go-w {root}; "
        "otherwise choose another --state-dir and run `assess sync`"
    )


def _user(uid: int) -> str:
    try:
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f"uid {uid}"

"""Whose is what runs when an interpreter is started: nobody but root and this user may be able to change it.

    installation = look_at(Path("/usr/bin/python3"))      what it is, without its library's content
    installation.problem or who_may_change(installation)

Looked at are every directory and every link on the way to the executable; where getpath.py of CPython finds the
library (`lib` or `lib64` in or beside the executable's directory, with `os.py` and `lib-dynload`; were they not there,
it would look in every directory above); `pythonXY.zip`, which precedes it; libpython; and everything in the library.
Not looked at is `site-packages`: what is started here, with `-S` or in an environment of its own, does not see it.
"""

import grp
import os
import pwd
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assess_core.store.ownership import is_foreign, steps

MAX_ENTRIES = 100_000
"""Of a library; a CPython with all its tests has 8,000."""

_NAME = re.compile(r"python3\.\d+\Z", re.ASCII)
_BEFORE = re.compile(r"python3\d+\.zip\Z|libpython", re.ASCII)
_LIBRARIES = ("lib", "lib64")
_LANDMARKS = ("os.py", "lib-dynload")
_LEFT_OUT = frozenset(("site-packages", "dist-packages"))
_STICKY_DIRECTORY = stat.S_ISVTX | stat.S_IFDIR

Print = tuple[tuple[str, int, int, int, int, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """What an executable belongs to.

    Attributes:
        executable: with every link resolved: what is to be run, for it is what was looked at.
        libraries: the directories of its standard library.
        print: another one when something of it was replaced, or given away; not of what is in its library.
        problem: who can change it, as far as was looked; empty when nobody can.
    """

    executable: Path
    libraries: tuple[Path, ...] = ()
    print: Print = ()
    problem: str = ""


def look_at(path: Path) -> Installation:
    """Where an executable leads and where it would find its library; a few dozen `lstat`.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    executable = Path(os.path.realpath(path, strict=True))
    seen = dict([*steps(path), *steps(executable)])
    if problem := _first(wrong_with(place, status) for place, status in seen.items()):
        return Installation(executable=executable, problem=problem)
    tops = [executable.parent, executable.parent.parent]
    above = [top / name for top in tops for name in _LIBRARIES if (top / name).is_dir()]
    libraries = [library for directory in above for library in _libraries(directory, executable.name)]
    if not all(any((library / mark).exists() for library in libraries) for mark in _LANDMARKS):
        where = executable.parent.parent / "lib"
        return Installation(
            executable=executable,
            problem=f"its standard library is not in {where}, so who can say what it runs; name the executable itself",
        )
    inner: dict[Path, os.stat_result] = {}
    for place in (*tops, *above, *libraries):
        inner |= {Path(os.path.realpath(place)): os.stat(place)}  # noqa: PTH116  both ends of a link, below
        seen |= dict(steps(place))
    problem = _first(wrong_with(place, status) for place, status in seen.items())
    problem = problem or _first(wrong_with(place, status, inside=True) for place, status in inner.items())
    prints = sorted(
        (str(place), each.st_dev, each.st_ino, each.st_uid, each.st_mode, each.st_ctime_ns)
        for place, each in (seen | inner).items()
        if place in inner or not stat.S_ISDIR(each.st_mode)  # /tmp on the way changes all the time
    )
    return Installation(executable=executable, libraries=tuple(libraries), print=tuple(prints), problem=problem)


def who_may_change(installation: Installation) -> str:
    """Who else decides what is in its library, its zip file and its libpython; empty when nobody does.

    Raises:
        OSError: something of it may not be looked at.
    """
    above = dict.fromkeys(library.parent for library in installation.libraries)
    before = (entry for directory in above for entry in directory.iterdir() if _BEFORE.match(entry.name))
    return _first(map(who_else, before)) or _first(_wrong_in(installation.libraries))


def _wrong_in(libraries: tuple[Path, ...]) -> Iterator[str]:
    left, walked, count = list(map(os.path.realpath, libraries)), set[str](), 0
    while left:
        directory = left.pop()
        if directory in walked:
            continue
        walked.add(directory)
        with os.scandir(directory) as entries:
            for entry in entries:
                if (count := count + 1) > MAX_ENTRIES:
                    yield f"nobody has looked at all of it: {directory} is beyond the first {MAX_ENTRIES} files"
                    return
                if entry.is_symlink():
                    yield who_else(Path(entry.path), inside=True)
                else:
                    yield wrong_with(entry.path, entry.stat(follow_symlinks=False), inside=True)
                if entry.is_dir() and entry.name not in _LEFT_OUT:
                    left.append(os.path.realpath(entry.path))


def wrong_with(path: Path | str, status: os.stat_result, *, inside: bool = False) -> str:
    """Who else may change this, or (`inside`) add something to it; empty when nobody may."""
    if is_foreign(status):
        return f"{path} belongs to uid {status.st_uid}"
    mode = status.st_mode
    if stat.S_ISLNK(mode) or (not inside and mode & _STICKY_DIRECTORY == _STICKY_DIRECTORY):
        return ""
    if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and not _is_private(status.st_gid)):
        return f"{path} has mode {stat.S_IMODE(mode):04o}"
    return ""


def _is_private(gid: int) -> bool:
    """Whether nobody but this user and root is in a group: root's, or, as accounts say, this user's alone."""
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:  # a user, or a group, that has no name here
        return gid == 0
    is_ones_own = (gid, group.gr_name) == (user.pw_gid, user.pw_name)
    return gid == 0 or (is_ones_own and set(group.gr_mem) <= {user.pw_name, "root"})


def who_else(path: Path, *, inside: bool = False) -> str:
    """Who else decides what is found by this path, links included; empty when nobody does."""
    places = list(steps(path))
    problem = _first(wrong_with(place, status) for place, status in places)
    return problem or (wrong_with(*places[-1], inside=inside) if places else "")


def _first(problems: Iterable[str]) -> str:
    return next(filter(None, problems), "")


def _libraries(directory: Path, name: str) -> list[Path]:
    if _NAME.match(name):
        return [directory / name] if (directory / name).is_dir() else []
    return sorted(path for path in directory.iterdir() if _NAME.match(path.name) and path.is_dir())

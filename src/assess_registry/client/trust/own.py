"""The trust state is in the hands of this user or root alone, whoever opens it: a command, or a program of somebody's.

All in it is signed, and still who can write here decides what is true while the registry is out of reach: an older set,
complete and rightly signed, is not to be told from the last one, nor is a clock that was put back beside it.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from assess_registry.errors import Issue, TrustError
from assess_registry.keys.guard import is_guarded

_OUR_LINKS = frozenset(("last", "root.json"))
"""To the last complete set, and TUF's to its newest root."""

_RULE = "assess: what is remembered of a registry belongs to who uses it"


def check_own(state: Path) -> None:
    """Nobody else owns or may write to the directory or anything in it; nothing in it lies elsewhere, by a link.

    Raises:
        TrustError: step `state`; it is not so. All that is wrong is in its issues.
        OSError: it may not be looked at.
    """
    issues = [Issue(id=id_, entry=str(path), message=message, rule=_RULE) for id_, path, message in _wrong(state)]
    if issues:
        raise TrustError(
            "somebody else can change what is remembered of the registry",
            step="state",
            thing=str(state),
            next_step=f"remove {state} and connect to the registry once; if nobody else can have written there, it is "
            f"enough to: chown -hR {os.geteuid()} {state} && chmod -R go-w {state}",
            issues=tuple(issues),
        )


def _wrong(state: Path) -> Iterator[tuple[str, Path, str]]:
    yield from _wrong_with(state, state.lstat())
    if not is_guarded(status := state.stat()):  # where the path itself is a link
        yield "state-foreign", state, f"leads to what uid {status.st_uid} owns, mode {stat.S_IMODE(status.st_mode):04o}"
    for directory, directories, files in os.walk(state):
        for name in (*directories, *files):
            path = Path(directory, name)
            try:
                status = path.lstat()
            except FileNotFoundError:  # another process swept it
                continue
            yield from _wrong_with(path, status)
            if stat.S_ISLNK(status.st_mode) and not _is_ours(name):
                yield "state-link", path, "is a link, and nothing that is remembered lies elsewhere"


def _wrong_with(path: Path, status: os.stat_result) -> Iterator[tuple[str, Path, str]]:
    if not is_guarded(status):
        yield "state-foreign", path, f"belongs to uid {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}"


def _is_ours(name: str) -> bool:
    return name in _OUR_LINKS or name.startswith(".word-")  # one that is on its way to be `last`

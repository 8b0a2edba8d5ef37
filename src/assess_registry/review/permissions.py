"""What a version asks for that the one before it did not; pure, and for the eyes of whoever approves it.

    change_of(Permissions(read=("/etc",)), Permissions(read=("/etc/ssh", "/proc")), since="1.0.0")
        ->  more: read /proc; less: read /etc

An entry that an old one covers is no growth: `/etc/ssh` below `/etc`, a command whose every word an old pattern admits.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from assess_plugin.permissions import Permissions

_Entry = str | tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PermissionChange:
    """The difference between what was approved last and what is asked for now.

    Attributes:
        since: the version that was approved last; empty when there is none, and everything is new.
        more: what the old permissions do not cover, as `read /etc/shadow`.
        less: what the new ones no longer cover.
    """

    since: str = ""
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()

    @property
    def grew(self) -> bool:
        """Whether somebody has to confirm it: there is an approved version, and this one asks for more."""
        return bool(self.since and self.more)


def change_of(old: Permissions | None, new: Permissions, *, since: str) -> PermissionChange:
    """What `new` asks for beyond `old`, and what it leaves out; `since` is the version of `old`, empty for None."""
    before = old or Permissions()
    return PermissionChange(since=since, more=_beyond(before, new), less=_beyond(new, before))


def _beyond(old: Permissions, new: Permissions) -> tuple[str, ...]:
    kinds: tuple[tuple[str, Sequence[_Entry], Callable[[Any], bool]], ...] = (
        ("read", new.read, old.allows_read),
        ("stat", new.stat, old.allows_stat),
        # A pattern is admitted as if it were an argv: its `*` only by a `*`, its words by themselves or by a `*`.
        ("run", new.commands, old.allows_run),
        ("connect to", new.network, old.network.__contains__),
        ("see variable", new.env, old.env.__contains__),
    )
    return tuple(
        f"{verb} {entry if isinstance(entry, str) else shlex.join(entry)}"
        for verb, entries, allowed in kinds
        for entry in sorted(entries)
        if not allowed(entry)
    )

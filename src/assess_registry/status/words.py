"""What a plugin may do, in plain words; the same permissions give the same sentences in the same order.

    for group in permission_words(Permissions(read=("/etc/ssh",))): print(group)
    It may read these files, and everything below them: `/etc/ssh`

A sentence is text of ours with what the plugin asks for set apart in it, so that no path or argument can be read as one
of our words.
"""

import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from assess_plugin.permissions import ANY_ARGUMENT, Permissions
from assess_registry.manifest import Limits


@dataclass(frozen=True, slots=True)
class Code:
    """Something that the plugin names, in its own spelling."""

    text: str


@dataclass(frozen=True, slots=True)
class Blank:
    """A place that may hold anything."""

    text: str


Part: TypeAlias = str | Code | Blank


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing that is permitted.

    Attributes:
        alarm: why it is more than it looks like; empty for most.
        is_new: whether the version that was approved before could not do it.
    """

    parts: tuple[Part, ...]
    alarm: str = ""
    is_new: bool = False

    def __str__(self) -> str:
        return "".join(_plain(part) for part in self.parts) + (f" ({self.alarm})" if self.alarm else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Things of one kind, and the sentence that they end."""

    lead: str
    items: tuple[Item, ...]

    def __str__(self) -> str:
        return f"{self.lead} {', '.join(str(item) for item in self.items)}"


NOTHING = "Nothing: it may open no file, run no program, use no network, see no environment variable, know no secret."

SHELLS = frozenset(
    ("sh", "bash", "dash", "zsh", "ksh", "env", "sudo", "xargs", "python", "python3", "perl", "awk", "ssh")
)
"""Programs that run whatever their arguments say; the audit has the whole list and judges by it."""


_NONE = Permissions()


def permission_words(permissions: Permissions, *, new: Permissions = _NONE) -> tuple[Group, ...]:
    """What these permissions allow, by kind, those that are `new` marked; none when they allow nothing."""
    groups = (
        Group(
            lead="It may read these files, and everything below them:",
            items=tuple(_path(path, new.read) for path in sorted(permissions.read)),
        ),
        Group(
            lead="It may see who owns these, who may use them and when they changed, and the same of everything below "
            "them, but not what is in them:",
            items=tuple(_path(path, new.stat) for path in sorted(permissions.stat)),
        ),
        Group(
            lead="It may run these commands, word by word:",
            items=tuple(_command(argv, new.commands) for argv in sorted(permissions.commands)),
        ),
        Group(lead="It may connect to:", items=tuple(_name(each, new.network) for each in sorted(permissions.network))),
        Group(
            lead="It may see these environment variables, which may hold secrets:",
            items=tuple(_name(each, new.env) for each in sorted(permissions.env)),
        ),
        Group(
            lead="It is told these secrets, as the operator gives them:",
            items=tuple(_name(each, new.secrets) for each in sorted(permissions.secrets)),
        ),
    )
    return tuple(group for group in groups if group.items)


def limit_words(limits: Limits) -> str:
    """How much it may use."""
    processor = "" if limits.cpu_s is None else f", and {limits.cpu_s:g} seconds of processor time"
    return (
        f"Its process gets {limits.memory_mib} MiB of memory, {limits.scratch_mib} MiB of scratch space, "
        f"{limits.threads} threads and {limits.descriptors} open files; one call of it gets "
        f"{limits.timeout_s:g} seconds{processor}."
    )


def _path(path: str, new: Collection[str]) -> Item:
    alarm = "that is every file of the machine" if not path.strip("/*") else ""
    return Item(parts=(Code(path),), alarm=alarm, is_new=path in new)


def _name(name: str, new: Collection[str]) -> Item:
    return Item(parts=(Code(name),), is_new=name in new)


def _command(argv: tuple[str, ...], new: Collection[tuple[str, ...]]) -> Item:
    runs_anything = argv[0].rpartition("/")[2] in SHELLS and ANY_ARGUMENT in argv
    alarm = "that may be any command at all" if runs_anything else ""
    return Item(parts=tuple(_words(argv)), alarm=alarm, is_new=argv in new)


def _words(argv: tuple[str, ...]) -> Iterator[Part]:
    """Arguments in the spelling of a shell, so that blanks and empty ones show; one that may be anything as such."""
    literal: list[str] = []
    for argument in argv:
        if argument != ANY_ARGUMENT:
            literal.append(shlex.quote(argument))
            continue
        if literal:
            yield from (Code(" ".join(literal)), " ")
            literal = []
        yield from (Blank("one argument"), " ")
    if literal:
        yield Code(" ".join(literal))


def _plain(part: Part) -> str:
    match part:
        case Code(text):
            return f"`{text}`"
        case Blank(text):
            return f"<{text}>"
        case str():
            return part

"""Permissions held against permissions: what one has beyond another, and what two of them have in common; pure.

    beyond(Permissions(read=("/etc",)), Permissions(read=("/etc/ssh", "/proc")))     ->  read /proc
    common(Permissions(read=("/etc",)), Permissions(read=("/etc/ssh", "/proc")))     ->  read /etc/ssh

An entry that another one covers is not beyond it: `/etc/ssh` below `/etc`, a command whose every word a pattern admits.
One implementation for all who compare: who approves a new version, who consents to it, and who narrows it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from itertools import zip_longest
from typing import Any

from assess_plugin.permissions import ANY_ARGUMENT, ANY_CHARACTERS, Permissions

Entry = str | tuple[str, ...]
"""One permission: a path, a name, `host:port`, or the words of a command."""

MAX_COMPARED = 400
"""Entries in common that are held against one another, to leave out what another one covers: of two tables of 200 globs
there can be 40,000, each of which is needed or does no harm."""


def entries(permissions: Permissions) -> Iterator[tuple[str, Entry]]:
    """Every entry with the table it stands in."""
    for table in fields(permissions):
        yield from ((table.name, entry) for entry in getattr(permissions, table.name))


def beyond(old: Permissions, new: Permissions) -> Permissions:
    """The entries of `new` that `old` does not cover."""
    return _made(lambda table: (each for each in getattr(new, table) if not covers(old, table, each)))


def covers(permissions: Permissions, table: str, entry: Any) -> bool:
    """Whether everything that this entry of this table permits is permitted."""
    match table:
        case "read":
            return permissions.allows_read(entry)
        case "stat":
            return permissions.allows_stat(entry)
        case "commands":
            # A pattern is admitted as if it were an argv: its `*` only by a `*`, its words by themselves or by a `*`.
            return permissions.allows_run(entry)
        case "network":
            host, _, port = entry.rpartition(":")
            return permissions.allows_connect(host.removeprefix("[").removesuffix("]"), int(port))
        case _:
            return entry in getattr(permissions, table)


def common(one: Permissions, other: Permissions) -> Permissions:
    """What both permit: never more than either, and all of it but for two globs that merely overlap."""
    read = _meets(one.read, other.read, _common_path, "read")
    looked_at = _meets((*one.stat, *one.read), (*other.stat, *other.read), _common_path, "stat")
    reading = Permissions(read=read)
    found = {
        "read": read,
        "stat": tuple(each for each in looked_at if not reading.allows_stat(each)),
        "commands": _meets(one.commands, other.commands, _common_command, "commands"),
    }
    return _made(
        lambda table: (
            found[table] if table in found else (each for each in getattr(one, table) if covers(other, table, each))
        )
    )


def _made(entries_of: Callable[[str], Iterable[Any]]) -> Permissions:
    return Permissions(**{table.name: tuple(entries_of(table.name)) for table in fields(Permissions)})


def _meets(one: Iterable[Any], other: Iterable[Any], meet: Callable[[Any, Any], Any], table: str) -> tuple[Any, ...]:
    """What an entry here and an entry there both permit; nothing that another one of these covers."""
    others = [(there, _only(table, there)) for there in other]
    found: dict[Any, None] = {}
    for here in one:
        alone = _only(table, here)
        for there, other_alone in others:
            met = meet(here, there)
            # Asked of the one implementation that decides, whatever `meet` believes of its spelling.
            if met is not None and covers(alone, table, met) and covers(other_alone, table, met):
                found[met] = None
    if len(found) > MAX_COMPARED:
        return tuple(found)
    return tuple(
        each for each in found if not any(rest != each and covers(_only(table, rest), table, each) for rest in found)
    )


def _only(table: str, entry: Entry) -> Permissions:
    return Permissions(**{table: (entry,)})  # type: ignore[arg-type]


def _common_command(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...] | None:
    if len(one) != len(other) or one[:1] != other[:1]:
        return None
    words = [_narrower(here, there, _is_any) for here, there in zip(one, other, strict=True)]
    return None if None in words else tuple(word for word in words if word is not None)


def _common_path(one: str, other: str) -> str | None:
    """The path that lies below both."""
    parts = [
        there if here is None else here if there is None else _narrower(here, there, _matches)
        for here, there in zip_longest(_components(one), _components(other))
    ]
    return None if None in parts else "/" + "/".join(part for part in parts if part is not None)


def _components(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _narrower(one: str, other: str, admits: Callable[[str, str], bool]) -> str | None:
    if one == other or admits(other, one):
        return one
    return other if admits(one, other) else None


def _is_any(pattern: str, _: str) -> bool:
    return pattern == ANY_ARGUMENT


def _matches(pattern: str, text: str) -> bool:
    """Whether a component with `*` admits another one, in which a `*` is a character that only a `*` admits."""
    if pattern == ANY_CHARACTERS or ANY_CHARACTERS not in pattern:
        return pattern in (ANY_CHARACTERS, text)
    return _only("read", f"/{pattern}").allows_read(f"/{text}")

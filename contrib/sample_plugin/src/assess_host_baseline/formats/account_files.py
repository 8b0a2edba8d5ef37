"""/etc/passwd, /etc/shadow and /etc/group: passwd(5), shadow(5), group(5).

A line that is none of these is refused, never passed over: an account that is not understood is not an account that is
in order. That includes the `+` lines of NIS, which stand for accounts that are kept elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from assess_host_baseline.formats.text import Malformed, shown

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A line of /etc/passwd."""

    name: str
    password: str
    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowEntry:
    """A line of /etc/shadow: who, and the hash or what stands in its place."""

    name: str
    password: str

    @property
    def can_log_in(self) -> bool:
        """Whether some password opens this account: `!` and `*` begin what no password ever hashes to."""
        return not self.password.startswith(("!", "*"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A line of /etc/group."""

    name: str
    gid: int


def parse_passwd(text: str) -> tuple[Account, ...]:
    """The accounts of a passwd file.

    Raises:
        Malformed: a line is not one.
    """
    return _rows(text, "/etc/passwd", 7, _account)


def parse_shadow(text: str) -> tuple[ShadowEntry, ...]:
    """The entries of a shadow file.

    Raises:
        Malformed: a line is not one.
    """
    return _rows(text, "/etc/shadow", 9, lambda fields: ShadowEntry(name=fields[0], password=fields[1]))


def parse_group(text: str) -> tuple[Group, ...]:
    """The groups of a group file.

    Raises:
        Malformed: a line is not one.
    """
    return _rows(text, "/etc/group", 4, lambda fields: Group(name=fields[0], gid=_id(fields[2])))


def _account(fields: list[str]) -> Account:
    name, password, uid, gid, _, home, shell = fields
    return Account(name=name, password=password, uid=_id(uid), gid=_id(gid), home=home, shell=shell)


def _rows(text: str, path: str, width: int, parse: Callable[[list[str]], Row]) -> tuple[Row, ...]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        fields = line.split(":")
        if len(fields) != width or not fields[0] or fields[0].startswith(("+", "-")):
            # the line itself is not repeated: it may hold a hash
            raise Malformed(f"{path} line {number} is not an entry of {width} fields")
        try:
            rows.append(parse(fields))
        except ValueError as error:
            raise Malformed(f"{path} line {number}: {error}") from error
    if not rows:
        raise Malformed(f"{path} is empty")
    return tuple(rows)


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ValueError(f"{shown(text)!r} is not a number")
    return int(text)

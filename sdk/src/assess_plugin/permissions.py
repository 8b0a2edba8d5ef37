"""What a plugin may ask of its host, and the rules by which asking is compared with that.

One implementation for all who judge: the registry that reviews a manifest, the runtime that enforces it, the testing
kit under which a plugin is written. A worker never imports this: what it may do is decided elsewhere.

    Permissions(commands=(("dpkg-query", "-W", "*"),)).allows_run(["dpkg-query", "-W", "openssl"])      -> True
    Permissions(read=("/etc/ssh",)).allows_read("/etc/ssh/sshd_config")                                  -> True
    Permissions(read=("/etc/ssh",)).allows_read("/etc/ssh/../shadow")                                    -> False

- A command is permitted when a pattern has as many words and each word is equal to it; `*` stands for any one word,
  but never for the program.
- A path is permitted when it has one spelling (`is_normal_path`), and is equal to an entry or below one. In an entry,
  `*` stands for any characters within one component, never for a `/`.
- `stat` is permitted below an entry of `read` or of `stat`.
- A peer is permitted by its very name, or its very address however that is written, and its very port.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

MANIFEST = "assess-plugin.toml"

ANY_ARGUMENT = "*"
"""In a command pattern: exactly one whole argument, whatever it is."""

ANY_CHARACTERS = "*"
"""In an entry of `read` or `stat`: any characters of one component, or none."""

MAX_SHOWN = 500
"""Characters of a command that a message repeats."""

Table = Literal["read", "stat", "commands", "network", "secrets"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Permissions:
    """The `[permissions]` table; everything absent is denied.

    Attributes:
        read: absolute paths, `*` within a component for any characters; each allows itself and everything below it
            to be opened and to be looked at.
        stat: the same, to be looked at only.
        commands: argument lists; `*` stands for exactly one whole argument.
        network: `host:port`, an IPv6 address in brackets.
        env: names of environment variables.
        secrets: names of secrets, which the operator gives.
    """

    read: tuple[str, ...] = ()
    stat: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    network: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def command_for(self, argv: Sequence[str]) -> tuple[str, ...] | None:
        """The pattern that permits this argv: as many words, the same first one, and all others agree."""
        return next((pattern for pattern in self.commands if _matches(pattern, argv)), None)

    def read_for(self, path: str) -> str | None:
        """The entry of `read` that permits opening this path."""
        return _entry_for(path, self.read)

    def stat_for(self, path: str) -> str | None:
        """The entry of `stat`, or else of `read`, that permits asking for this path's status."""
        return _entry_for(path, self.stat) or _entry_for(path, self.read)

    def network_for(self, host: str, port: int) -> str | None:
        """The entry of `network` that permits connecting there: the same name, or the same address."""
        wanted = peer_of(host, port)
        return next((entry for entry in self.network if entry == wanted or _same_peer(entry, wanted)), None)

    def allows_run(self, argv: Sequence[str]) -> bool:
        """Whether a pattern permits this argv."""
        return self.command_for(argv) is not None

    def allows_read(self, path: str) -> bool:
        """Whether an entry permits opening this path."""
        return self.read_for(path) is not None

    def allows_stat(self, path: str) -> bool:
        """Whether an entry permits asking for this path's status."""
        return self.stat_for(path) is not None

    def allows_connect(self, host: str, port: int) -> bool:
        """Whether an entry permits connecting there."""
        return self.network_for(host, port) is not None


def is_normal_path(path: str) -> bool:
    """Whether `path` is absolute and has one spelling: nothing empty, `.`, `..` or unprintable in it."""
    if path == "/":
        return True
    parts = path.split("/")
    return len(parts) > 1 and parts[0] == "" and not {"", ".", ".."} & set(parts[1:]) and path.isprintable()


def peer_of(host: str, port: int) -> str:
    """`host:port` as `network` spells it: `db.example.org:5432`, `[::1]:443`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def not_normal(path: str) -> str:
    """The sentence for who asked for such a path."""
    shown = repr(path[:MAX_SHOWN])
    return f"{shown} is not an absolute path in its one spelling: no '.', '..', '//' or unprintable characters"


def not_permitted(asked: str | Sequence[str], table: Table) -> str:
    """The sentence for who asked for this, with the line of the manifest that would permit it."""
    entry = _quoted(asked)
    what = asked if isinstance(asked, str) else f"command {entry}"
    return f"{what} is not permitted: add {entry} to permissions.{table} in {MANIFEST}"


def leads_astray(path: str, target: str, table: Table) -> str:
    """The sentence for who asked for a path that is permitted, and is a link to one that is not."""
    return f"{path} leads to {target}, which {not_permitted(target, table).removeprefix(f'{target} ')}"


def _quoted(asked: str | Sequence[str]) -> str:
    return json.dumps(asked, ensure_ascii=False)[:MAX_SHOWN]


def _same_peer(entry: str, wanted: str) -> bool:
    """Whether both are one IPv6 address, which has many spellings, at one port."""
    if not (entry.startswith("[") and wanted.startswith("[")):
        return False
    (one, _, port), (other, _, other_port) = entry.rpartition(":"), wanted.rpartition(":")
    try:
        return port == other_port and ip_address(one[1:-1]) == ip_address(other[1:-1])
    except ValueError:
        return False


def _matches(pattern: Sequence[str], argv: Sequence[str]) -> bool:
    if len(pattern) != len(argv) or not argv or pattern[0] != argv[0]:
        return False
    return all(want in (ANY_ARGUMENT, got) for want, got in zip(pattern[1:], argv[1:], strict=True))


def _entry_for(path: str, entries: Iterable[str]) -> str | None:
    if not is_normal_path(path):  # a path with `..` names something else than what it begins with
        return None
    return next((entry for entry in entries if _reaches(entry, path)), None)


def _reaches(entry: str, path: str) -> bool:
    """Whether the entry is the path or above it.

    An entry that is compared as if it were a path - is what is asked for now within what was asked for before? - is
    compared rightly, too: its `*` is reached by nothing but another `*`, and stays within it whatever it stands for.
    """
    if ANY_CHARACTERS not in entry:
        return path == entry or path.startswith(entry.rstrip("/") + "/")
    wanted, parts = entry.split("/"), path.split("/")
    return len(parts) >= len(wanted) and all(map(_fits, wanted, parts))


def _fits(pattern: str, part: str) -> bool:
    """Whether the component is the pattern with something, or nothing, in place of each `*`; in one pass."""
    first, *rest = pattern.split(ANY_CHARACTERS)
    if not rest:
        return pattern == part
    *between, last = rest
    if not part:  # of "/" alone, which is above every pattern
        return False
    if len(part) < len(first) + len(last) or not (part.startswith(first) and part.endswith(last)):
        return False
    position, end = len(first), len(part) - len(last)
    for each in between:
        found = part.find(each, position, end)
        if found < 0:
            return False
        position = found + len(each)
    return True

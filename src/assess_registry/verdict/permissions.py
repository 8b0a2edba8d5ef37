"""The permissions of a manifest as signed statements hold them: one table, in one spelling."""

import hashlib
import re
import shlex
from collections.abc import Mapping
from typing import Any

from assess_registry.canonical import Members, encode
from assess_registry.errors import Issue
from assess_registry.manifest import Permissions
from assess_registry.manifest.permissions import LATER_KEYS, PERMISSION_KEYS, read_permissions
from assess_registry.manifest.reader import Reader
from assess_registry.names import Sha256

_ORDINARY = re.compile(r"[\w/.@%+=:,*-]+\Z", re.ASCII)


def permissions_table(permissions: Permissions) -> dict[str, Any]:
    """The permissions as a verdict holds them: every table there, entries sorted, for their order grants nothing.

    But for tables that came later: they are there when they hold something, and what was signed before stays as it is.
    """
    table: dict[str, Any] = {
        "read": sorted(permissions.read),
        "stat": sorted(permissions.stat),
        "commands": sorted(list(argv) for argv in permissions.commands),
        "network": sorted(permissions.network),
        "env": sorted(permissions.env),
    }
    return table | ({"secrets": sorted(permissions.secrets)} if permissions.secrets else {})


def permissions_words(permissions: Permissions) -> tuple[str, ...]:
    """Every permission as people read it: `read /etc/shadow`, `run sh -c 'rm -rf /'`.

    A path with anything unusual in it stands in quotes, so that no part of it can be read as a word of ours.
    """
    return (
        *(f"read {quoted_path(path)}" for path in sorted(permissions.read)),
        *(f"stat {quoted_path(path)}" for path in sorted(permissions.stat)),
        *(f"run {shlex.join(argv)}" for argv in sorted(permissions.commands)),
        *(f"connect to {place}" for place in sorted(permissions.network)),
        *(f"see variable {name}" for name in sorted(permissions.env)),
        *(f"know secret {name}" for name in sorted(permissions.secrets)),
    )


def quoted_path(path: str) -> str:
    """The path as a sentence may hold it: in quotes, if anything in it is more than usual."""
    return path if _ORDINARY.match(path) else shlex.quote(path)


def permissions_digest(table: Mapping[str, Any]) -> Sha256:
    """Digest of a permissions table's one spelling."""
    return Sha256(hashlib.sha256(encode(table)).hexdigest())


def read_table(table: object) -> Permissions:
    """The permissions in such a table.

    Raises:
        ValueError: something in it is no permission.
    """
    issues: list[Issue] = []
    required = (key for key in PERMISSION_KEYS if key not in LATER_KEYS)
    members = Members.of(table, "permissions", required=required, optional=LATER_KEYS)
    for key in LATER_KEYS:
        if key in members.values and not members.values[key]:
            raise ValueError(f"permissions.{key}: expected to be left out where it is empty")
    permissions = read_permissions(Reader(members.values, "permissions", issues))
    if issues:
        raise ValueError("; ".join(f"{issue.entry}: {issue.message}" for issue in issues))
    return permissions

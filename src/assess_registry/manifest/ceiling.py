"""An operator's table of what may be granted at most: the tables of `[permissions]`, spelled as there.

read_ceiling({"read": ["/etc/ssh"]})[0].read    ->    ("/etc/ssh",)
"""

from collections.abc import Mapping
from typing import Any

from assess_plugin.permissions import Permissions
from assess_registry.errors import Issue
from assess_registry.manifest.permissions import read_permissions
from assess_registry.manifest.reader import Reader


def read_ceiling(table: Mapping[str, Any]) -> tuple[Permissions, tuple[Issue, ...]]:
    """The permissions in this table, and everything that is wrong with it; without an issue only may they be used."""
    issues: list[Issue] = []
    permissions = read_permissions(Reader(table, "", issues))
    return permissions, tuple(issues)

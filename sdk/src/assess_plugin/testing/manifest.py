"""What a plugin's own manifest permits, by the rules under which the runtime enforces it.

Only what a test needs is read, and nothing is validated: `assess-registry inspect` says whether a manifest is good.

- A command is permitted when a pattern has as many words and each word is equal to it; `*` stands for any one word,
  but never for the program.
- A path is permitted when it is absolute, normalised, and equal to an entry or below one.
- `stat` is permitted below an entry of `read` or of `stat`.
"""

import posixpath
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANY_WORD = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Permissions:
    """The `[permissions]` table, as far as a host without a network serves it."""

    read: tuple[str, ...] = ()
    stat: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()

    def command_for(self, argv: Sequence[str]) -> tuple[str, ...] | None:
        """The pattern that permits this argv."""
        return next((pattern for pattern in self.commands if _matches(pattern, argv)), None)

    def read_for(self, path: str) -> str | None:
        """The entry of `read` that permits opening this path."""
        return _entry_for(path, self.read)

    def stat_for(self, path: str) -> str | None:
        """The entry of `stat`, or else of `read`, that permits asking for this path's status."""
        return _entry_for(path, self.stat) or _entry_for(path, self.read)


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginManifest:
    """The parts of `assess-plugin.toml` that a test asks about.

    Attributes:
        checks: check ids by plugin (entry point name), in the order of the file.
        defaults: the default of each setting that has one.
        permissions: what the plugin may ask of its host.
    """

    checks: Mapping[str, tuple[str, ...]]
    defaults: Mapping[str, Any]
    permissions: Permissions


def load_manifest(path: Path) -> PluginManifest:
    """Read an `assess-plugin.toml`.

    Raises:
        OSError, tomllib.TOMLDecodeError, KeyError: it is absent, not TOML, or a check lacks its id or plugin.
    """
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    checks: dict[str, tuple[str, ...]] = {}
    for check in document.get("checks", []):
        checks[check["plugin"]] = (*checks.get(check["plugin"], ()), check["id"])
    granted = document.get("permissions", {})
    return PluginManifest(
        checks=checks,
        defaults={key: s["default"] for key, s in document.get("settings", {}).items() if "default" in s},
        permissions=Permissions(
            read=tuple(granted.get("read", ())),
            stat=tuple(granted.get("stat", ())),
            commands=tuple(tuple(pattern) for pattern in granted.get("commands", ())),
        ),
    )


def _matches(pattern: Sequence[str], argv: Sequence[str]) -> bool:
    if len(pattern) != len(argv) or not argv or pattern[0] != argv[0]:
        return False
    return all(want in (ANY_WORD, got) for want, got in zip(pattern[1:], argv[1:], strict=True))


def _entry_for(path: str, entries: Sequence[str]) -> str | None:
    if not path.startswith("/") or path.startswith("//") or "\0" in path or posixpath.normpath(path) != path:
        return None
    return next((entry for entry in entries if path == entry or path.startswith(entry.rstrip("/") + "/")), None)

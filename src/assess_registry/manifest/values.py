"""What a plugin says about itself, and what it may ask of its host.

Permissions(commands=(("dpkg-query", "-W", "*"),)).allows_run(["dpkg-query", "-W", "openssl"])      -> True
Permissions(read=("/etc/ssh",)).allows_read("/etc/ssh/sshd_config")                                  -> True
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from packaging.specifiers import SpecifierSet

from assess_registry.errors import RegistryError
from assess_registry.manifest.reader import below, join, nearest
from assess_registry.manifest.schema import problems
from assess_registry.names import PluginName

Severity = Literal["info", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "low", "medium", "high", "critical")
"""In rising order."""

ANY_ARGUMENT = "*"
"""In a command pattern: exactly one whole argument, whatever it is."""


class SettingsError(RegistryError):
    """Settings given for a plugin are not what its manifest describes.

    Attributes:
        problems: pairs of key path below `settings` and what is wrong there, at least one.
    """

    def __init__(self, found: tuple[tuple[str, str], ...]) -> None:
        super().__init__("\n".join(f"settings.{path}: {message}" for path, message in found))
        self.problems = found


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckSpec:
    """One check: which entry point reports it, and what it means."""

    id: str
    plugin: PluginName
    title: str
    severity: Severity
    controls: tuple[str, ...]
    remediation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingSpec:
    """One setting: its JSON Schema, its default when it has one, and whether it is a secret."""

    name: str
    schema: Mapping[str, Any]
    default: Any
    has_default: bool
    secret: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Permissions:
    """What a plugin may ask of its host; everything absent is denied.

    Attributes:
        read: absolute paths; each allows itself and everything below it to be opened and to be looked at.
        stat: the same, to be looked at only.
        commands: argument lists; `*` stands for exactly one whole argument.
        network: `host:port`.
        env: names of environment variables.
    """

    read: tuple[str, ...] = ()
    stat: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    network: tuple[str, ...] = ()
    env: tuple[str, ...] = ()

    def allows_run(self, argv: Sequence[str]) -> bool:
        """Whether a pattern has as many words as `argv`, the same first one, and agrees in all others."""
        return any(
            len(pattern) == len(argv)
            and pattern[0] == argv[0]
            and all(want in (ANY_ARGUMENT, got) for want, got in zip(pattern[1:], argv[1:], strict=True))
            for pattern in self.commands
        )

    def allows_read(self, path: str) -> bool:
        """Whether `path`, absolute and normalised, is an entry of `read` or below one."""
        return _below(path, self.read)

    def allows_stat(self, path: str) -> bool:
        """Whether `path`, absolute and normalised, is an entry of `read` or `stat` or below one."""
        return _below(path, self.read + self.stat)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much one process of the plugin may use, and how long one call may take when nobody says otherwise."""

    memory_mib: int = 256
    timeout_s: float = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """An `assess-plugin.toml` that is complete and consistent in itself."""

    api: SpecifierSet
    title: str
    summary: str
    checks: tuple[CheckSpec, ...] = ()
    settings: tuple[SettingSpec, ...] = ()
    permissions: Permissions = field(default_factory=Permissions)
    limits: Limits = field(default_factory=Limits)

    def checks_of(self, plugin: str) -> tuple[CheckSpec, ...]:
        """The checks that this entry point reports, in the manifest's order."""
        return tuple(check for check in self.checks if check.plugin == plugin)

    def setting_values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A value for every setting: the given one, else the default (a given table replaces a default table).

        Raises:
            SettingsError: a key is unknown, a setting without default is missing, or a value does not fit its schema.
        """
        names = [setting.name for setting in self.settings]
        found = [
            (join("", str(key)), f"the plugin has no such setting; {nearest(str(key), names)}")
            for key in given
            if key not in names
        ]
        for setting in self.settings:
            if setting.name in given:
                found += [
                    (below(setting.name, path), message)
                    for path, message in problems(setting.schema, given[setting.name], secret=setting.secret)
                ]
            elif not setting.has_default:
                found.append((setting.name, "the plugin needs this setting and it has no default"))
        if found:
            raise SettingsError(tuple(found))
        # Copies: a plugin's worker or a caller that changes a value must not change the manifest's default.
        return {each.name: copy.deepcopy(given.get(each.name, each.default)) for each in self.settings}


def is_normal_path(path: str) -> bool:
    """Whether `path` is absolute and has one spelling: nothing empty, `.`, `..` or unprintable in it."""
    if path == "/":
        return True
    parts = path.split("/")
    return len(parts) > 1 and parts[0] == "" and not {"", ".", ".."} & set(parts[1:]) and path.isprintable()


def _below(path: str, entries: tuple[str, ...]) -> bool:
    # A path with `..` has been normalised by nobody: what it names is not what it begins with.
    return is_normal_path(path) and any(path == entry or path.startswith(entry.rstrip("/") + "/") for entry in entries)

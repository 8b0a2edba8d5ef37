"""What a plugin says about itself; what it may ask of its host is in the SDK, for all who judge it.

parse_manifest(data).checks_of("host-baseline")[0].severity    -> "medium"
parse_manifest(data).setting_values({})                        -> {"minimum_versions": {"openssl": "3.0.0"}}
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from packaging.specifiers import SpecifierSet

from assess_plugin.permissions import Permissions
from assess_registry.errors import RegistryError
from assess_registry.manifest.reader import below, join, nearest, show
from assess_registry.manifest.schema import problems
from assess_registry.names import PluginName

Severity = Literal["info", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "low", "medium", "high", "critical")
"""In rising order."""


def parse_severity(text: str) -> Severity:
    """One of the severities.

    Raises:
        ValueError: it is none.
    """
    found = next((severity for severity in SEVERITIES if severity == text), None)
    if found is None:
        raise ValueError(f"{show(text)} is no severity; {nearest(text, SEVERITIES)}")
    return found


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
class Limits:
    """How much one process of the plugin may use, and how long one call may take when nobody says otherwise.

    Attributes:
        cpu_s: processor time of one call, of all its threads together; None for as much as the call may last.
        scratch_mib: what its scratch directory may take of the disk, with files that are unlinked and still in use.
        descriptors: open at once, those that every worker has included.
    """

    memory_mib: int = 256
    timeout_s: float = 60
    cpu_s: float | None = None
    scratch_mib: int = 64
    threads: int = 64
    descriptors: int = 256


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

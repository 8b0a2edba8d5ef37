"""A plugin's own manifest, as far as a test asks about it.

Nothing is validated, but that this kit can serve the plugin API it asks for: `assess-registry inspect` says whether a
manifest is good.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assess_plugin.api import ApiError, served_api
from assess_plugin.models import API_VERSIONS
from assess_plugin.permissions import MANIFEST, Permissions
from assess_plugin.testing.specifier import admits


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginManifest:
    """The parts of `assess-plugin.toml` that a test asks about.

    Attributes:
        checks: check ids by plugin (entry point name), in the order of the file.
        defaults: the default of each setting that has one.
        permissions: what the plugin may ask of its host.
        api: the plugin API it is served: the lowest that it admits and this kit has.
    """

    checks: Mapping[str, tuple[str, ...]]
    defaults: Mapping[str, Any]
    permissions: Permissions
    api: str = API_VERSIONS[0]


def load_manifest(path: Path) -> PluginManifest:
    """Read an `assess-plugin.toml`.

    Raises:
        OSError, tomllib.TOMLDecodeError, KeyError: it is absent, not TOML, or a check lacks its id or plugin.
        ApiError: it asks for a plugin API that this kit does not have.
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
            network=tuple(granted.get("network", ())),
            env=tuple(granted.get("env", ())),
            secrets=tuple(granted.get("secrets", ())),
        ),
        api=_api(path, document.get("api", f">={API_VERSIONS[0]}")),
    )


def _api(path: Path, wanted: str) -> str:
    try:
        return served_api(lambda version: admits(wanted, version), wanted)
    except ApiError as error:
        raise ApiError(f"{path}: {MANIFEST} {error}; install an `assess-plugin` that has it") from error

"""What is installed, as people and programs read it."""

import dataclasses
import json

from assess_core.store import InstalledPlugin
from assess_registry.client import Manifest


def entries(plugin: InstalledPlugin) -> str:
    """A plugin's entry points, for one cell."""
    return ", ".join(f"{entry.name} ({entry.kind})" for entry in plugin.entries)


def manifest_facts(manifest: Manifest) -> dict[str, object]:
    """What its manifest says beyond its checks, for programs."""
    return {
        "title": manifest.title,
        "settings": {setting.name: None if setting.secret else setting.default for setting in manifest.settings},
        "limits": dataclasses.asdict(manifest.limits),
    }


def lines_of(value: object) -> list[str]:
    """One fact as people read it, a line for each thing."""
    match value:
        case dict():
            return [f"{name} = {json.dumps(item)}" for name, item in value.items()]
        case list():
            return [", ".join(item.values()) if isinstance(item, dict) else str(item) for item in value]
        case _:
            return [str(value)]


def facts_of(plugin: InstalledPlugin) -> dict[str, object]:
    """What is installed, for programs."""
    return {
        "distribution": plugin.distribution,
        "version": plugin.version,
        "sha256": plugin.sha256,
        "signer": plugin.signer,
        "development": plugin.development,
        "environment": str(plugin.environment),
        "plugins": [{"name": entry.name, "kind": entry.kind} for entry in plugin.entries],
        "checks": [spec.id for spec in plugin.manifest.checks],
    }

"""What is installed, as people and programs read it."""

import dataclasses
import json

import click

from assess_core.clock import timestamp
from assess_core.store import InstalledPlugin, Pin, Pruned, Removal
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


def python_facts(plugin: InstalledPlugin) -> dict[str, str]:
    """Which Python it runs under, for programs."""
    return {"path": str(plugin.interpreter.path), "version": plugin.interpreter.version}


def named_with_python(plugin: InstalledPlugin) -> str:
    """Its version, and the Python it runs under: the same version may be there for two."""
    return f"{plugin.version} under Python {plugin.interpreter.version}"


def facts_of(plugin: InstalledPlugin) -> dict[str, object]:
    """What is installed, for programs."""
    return {
        "distribution": plugin.distribution,
        "version": plugin.version,
        "python": python_facts(plugin),
        "sha256": plugin.sha256,
        "signer": plugin.signer,
        "development": plugin.development,
        "environment": str(plugin.environment),
        "plugins": [{"name": entry.name, "kind": entry.kind} for entry in plugin.entries],
        "checks": [spec.id for spec in plugin.manifest.checks],
    }


def pin_facts(pin: Pin) -> dict[str, object]:
    """A pin, for programs."""
    return {"version": pin.version, "at": timestamp(pin.at), "by": pin.by, "why": pin.why}


def pruned_facts(pruned: Pruned) -> dict[str, object]:
    """What was removed, for programs."""
    return {
        "removed": [dataclasses.asdict(each) for each in pruned.removed],
        "in_use": [dataclasses.asdict(each) for each in pruned.in_use],
        "others": list(pruned.others),
        "freed_bytes": pruned.freed_bytes,
    }


def tell_pruned(pruned: Pruned, *, dry_run: bool) -> None:
    """What was removed, for people: names on stdout, what is left and why on stderr."""
    for each in pruned.removed:
        click.echo(f"{'would remove' if dry_run else 'removed'} {_name(each)}")
    for path in pruned.others:
        click.echo(f"{'would remove' if dry_run else 'removed'} {path}")
    for each in pruned.in_use:
        click.echo(f"{_name(each)} is in use, and left to the next `assess plugins prune`", err=True)
    click.echo(f"{'would free' if dry_run else 'freed'} {pruned.freed_bytes / (1 << 20):.1f} MiB", err=True)


def _name(removal: Removal) -> str:
    return f"{removal.distribution} {removal.version}" if removal.distribution else f"envs/{removal.env_key}"

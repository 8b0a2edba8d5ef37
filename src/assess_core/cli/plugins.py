"""`assess plugins`: what is installed, and whether it still is what was audited."""

import dataclasses
import json
from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.permitted import consent_facts, granted_cell, permission_facts, permission_lines, waiting_facts
from assess_core.config import unknown_name
from assess_core.errors import ConfigError
from assess_core.store import InstalledPlugin
from assess_registry.client import Manifest, plain, plain_lines, table
from assess_registry.console import print_json


@click.group(name="plugins")
def command() -> None:
    """What is installed, and whether it is what was audited."""


@command.command(name="list")
@output_option("table", "json")
@common
def list_(output: str, config: Path | None, state_dir: Path | None) -> None:
    """List the active plugins."""
    with open_runtime(config, state_dir) as runtime:
        active = [(plugin, runtime.standing(plugin)) for plugin in runtime.store.active()]
    if output == "json":
        print_json({"plugins": [_facts(plugin) | permission_facts(standing) for plugin, standing in active]})
        return
    rows = [
        (
            plugin.distribution,
            plugin.version,
            _entries(plugin),
            str(len(plugin.manifest.checks)),
            plugin.signer[:23],
            granted_cell(standing.grant),
            standing.growth.version if standing.growth is not None else "",
        )
        for plugin, standing in active
    ]
    headings = ("DISTRIBUTION", "VERSION", "PLUGINS", "CHECKS", "SIGNED BY", "GRANTED", "WAITING")
    click.echo(table(headings, rows), nl=False)


@command.command()
@click.argument("distribution")
@output_option("table", "json")
@common
def show(distribution: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Say what DISTRIBUTION may do, how it can be set, and what it checks."""
    with open_runtime(config, state_dir) as runtime:
        active = {plugin.distribution: plugin for plugin in runtime.store.active()}
        found = next((plugin for name, plugin in active.items() if name == distribution), None)
        if found is None:
            raise ConfigError(unknown_name("plugin", distribution, active, where="argument"))
        standing = runtime.standing(found)
    facts = _facts(found) | _manifest_facts(found.manifest)
    if output == "json":
        print_json({"plugin": facts | permission_facts(standing)})
        return
    for name, value in (facts | permission_lines(standing)).items():
        lines = _lines(value)
        click.echo(f"{name + ':':14}{plain(lines[0]) if lines else '-'}")
        for line in lines[1:]:
            click.echo(f"{'':14}{plain(line)}")


@command.command()
@click.argument("environment", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@output_option("table", "json")
@common
def verify(
    environment: Path | None,
    output: str,
    config: Path | None,
    state_dir: Path | None,
) -> int:
    """Compare every file of ENVIRONMENT (default: all active ones) with the audited wheels; exit 5 on a difference.

    ENVIRONMENT may have been made by pip from the index; its plugin has to be one that is active here.
    """
    with open_runtime(config, state_dir) as runtime:
        reports = runtime.verify(environment)
    if not reports:
        raise ConfigError("no plugin is active; run `assess sync` first")
    if output == "json":
        print_json({"environments": [report.as_dict() for report in reports]})
    else:
        for report in reports:
            click.echo(plain_lines(report.summary))
    return 0 if all(report.accepted for report in reports) else 5


@command.command()
@click.argument("release")
@click.option("--to", "digest", required=True, help="What is consented to, as `assess sync` names it.")
@output_option("table", "json")
@common
def consent(release: str, digest: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Let RELEASE (NAME==VERSION) have what it asks for beyond the version that runs.

    `assess sync` shows what that is, and the digest that names it; another wheel, or another difference, has another.
    """
    name, _, version = release.partition("==")
    if not version:
        raise ConfigError(f"argument: expected NAME==VERSION, got {plain(release)!r}")
    with open_runtime(config, state_dir) as runtime:
        given, growth = runtime.consent(name, version, digest=digest)
    if output == "json":
        print_json({"consent": {"distribution": growth.distribution, **waiting_facts(growth), **consent_facts(given)}})
        return
    more = "".join(f"\n  {plain(each)}" for each in growth.words)
    click.echo(f"{given.by} consented to {growth.distribution} {growth.version}:{more}")
    click.echo("the next `assess sync` or `assess run` lets it run", err=True)


def _entries(plugin: InstalledPlugin) -> str:
    return ", ".join(f"{entry.name} ({entry.kind})" for entry in plugin.entries)


def _manifest_facts(manifest: Manifest) -> dict[str, object]:
    return {
        "title": manifest.title,
        "settings": {setting.name: None if setting.secret else setting.default for setting in manifest.settings},
        "limits": dataclasses.asdict(manifest.limits),
    }


def _lines(value: object) -> list[str]:
    match value:
        case dict():
            return [f"{name} = {json.dumps(item)}" for name, item in value.items()]
        case list():
            return [", ".join(item.values()) if isinstance(item, dict) else str(item) for item in value]
        case _:
            return [str(value)]


def _facts(plugin: InstalledPlugin) -> dict[str, object]:
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

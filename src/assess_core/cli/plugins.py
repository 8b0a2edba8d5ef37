"""`assess plugins`: what is installed, and whether it still is what was audited."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.errors import ConfigError
from assess_core.store import InstalledPlugin
from assess_registry.client import plain_lines, table
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
        active = runtime.store.active()
    if output == "json":
        print_json({"plugins": [_facts(plugin) for plugin in active]})
        return
    rows = [
        (plugin.distribution, plugin.version, _entries(plugin), str(len(plugin.manifest.checks)), plugin.signer[:23])
        for plugin in active
    ]
    click.echo(table(("DISTRIBUTION", "VERSION", "PLUGINS", "CHECKS", "SIGNED BY"), rows), nl=False)


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


def _entries(plugin: InstalledPlugin) -> str:
    return ", ".join(f"{entry.name} ({entry.kind})" for entry in plugin.entries)


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

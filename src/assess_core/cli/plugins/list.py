"""`assess plugins list`: what is installed, and what serves."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.permitted import granted_cell, permission_facts
from assess_core.cli.plugins.facts import entries, facts_of
from assess_registry.client import table
from assess_registry.console import print_json


@click.command(name="list")
@output_option("table", "json")
@common
def command(output: str, config: Path | None, state_dir: Path | None) -> None:
    """List the active plugins."""
    with open_runtime(config, state_dir) as runtime:
        active = [(plugin, runtime.standing(plugin)) for plugin in runtime.store.active()]
    if output == "json":
        print_json({"plugins": [facts_of(plugin) | permission_facts(standing) for plugin, standing in active]})
        return
    rows = [
        (
            plugin.distribution,
            plugin.version,
            entries(plugin),
            str(len(plugin.manifest.checks)),
            plugin.signer[:23],
            granted_cell(standing.grant),
            standing.growth.version if standing.growth is not None else "",
        )
        for plugin, standing in active
    ]
    headings = ("DISTRIBUTION", "VERSION", "PLUGINS", "CHECKS", "SIGNED BY", "GRANTED", "WAITING")
    click.echo(table(headings, rows), nl=False)

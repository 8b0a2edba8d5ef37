"""`assess plugins uninstall`: nothing of a plugin is left."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.plugins.facts import pruned_facts, tell_pruned
from assess_core.versions import remove
from assess_registry.client import plain
from assess_registry.console import print_json


@click.command(name="uninstall")
@click.argument("distribution")
@output_option("table", "json")
@common
def command(distribution: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Remove DISTRIBUTION, which the configuration does not name, with all that is known of it.

    What of it is in use at this moment is left to `assess plugins prune`.
    """
    with open_runtime(config, state_dir) as runtime:
        pruned = remove(runtime, distribution)
    if output == "json":
        print_json({"distribution": distribution, **pruned_facts(pruned)})
        return
    click.echo(f"{plain(distribution)} is uninstalled")
    tell_pruned(pruned, dry_run=False)

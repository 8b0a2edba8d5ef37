"""`assess plugins show`: what one plugin may do, and how it is set."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.permitted import permission_facts, permission_lines
from assess_core.cli.plugins.facts import facts_of, lines_of, manifest_facts
from assess_core.config import unknown_name
from assess_core.delivery.consenting import permitted
from assess_core.errors import ConfigError
from assess_registry.client import plain
from assess_registry.console import print_json


@click.command(name="show")
@click.argument("distribution")
@output_option("table", "json")
@common
def command(distribution: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Say what DISTRIBUTION may do, how it can be set, and what it checks."""
    with open_runtime(config, state_dir) as runtime:
        active = {plugin.distribution: plugin for plugin in runtime.store.active()}
        found = next((plugin for name, plugin in active.items() if name == distribution), None)
        if found is None:
            raise ConfigError(unknown_name("plugin", distribution, active, where="argument"))
        allowed = permitted(found, runtime.config, runtime.store)
    facts = facts_of(found) | manifest_facts(found.manifest)
    if output == "json":
        print_json({"plugin": facts | permission_facts(allowed)})
        return
    for name, value in (facts | permission_lines(allowed)).items():
        lines = lines_of(value)
        click.echo(f"{name + ':':14}{plain(lines[0]) if lines else '-'}")
        for line in lines[1:]:
            click.echo(f"{'':14}{plain(line)}")

"""`assess plugins rollback`: the version that served before serves again."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.plugins.facts import pin_facts
from assess_core.versions import rollback
from assess_registry.console import print_json


@click.command(name="rollback")
@click.argument("distribution")
@output_option("table", "json")
@common
def command(distribution: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Let the version of DISTRIBUTION serve again that served before, and pin it.

    It has to be vouched for still, to be admitted by the configuration, and to answer. A running assessment ends with
    the version it began with.
    """
    with open_runtime(config, state_dir) as runtime:
        went = rollback(runtime, distribution)
    name, version = went.plugin.distribution, went.plugin.version
    if output == "json":
        print_json({"distribution": name, "version": version, "previous": went.before, "pin": pin_facts(went.pin)})
        return
    click.echo(f"{name}: {version} serves again, in place of {went.before or 'what was damaged'}")
    click.echo(f"it is pinned; to let newer versions come: assess plugins pin {name} --none", err=True)

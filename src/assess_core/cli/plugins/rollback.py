"""`assess plugins rollback`: the version that served before serves again."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.plugins.facts import named_with_python, pin_facts, python_facts
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
    name, before = went.plugin.distribution, went.before
    if output == "json":
        facts = {
            "distribution": name,
            "version": went.plugin.version,
            "python": python_facts(went.plugin),
            "previous": before.version if before is not None else "",
            "previous_python": python_facts(before) if before is not None else None,
            "pin": pin_facts(went.pin),
        }
        print_json(facts)
        return
    instead = named_with_python(before) if before is not None else "what was damaged"
    click.echo(f"{name}: {named_with_python(went.plugin)} serves again, in place of {instead}")
    click.echo(f"it is pinned; to let newer versions come: assess plugins pin {name} --none", err=True)

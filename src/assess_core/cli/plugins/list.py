"""`assess plugins list`: what is installed, and what serves."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.permitted import granted_cell, permission_facts
from assess_core.cli.plugins.facts import entries, facts_of
from assess_core.cli.tables import show_table
from assess_core.delivery.consenting import permitted
from assess_core.versions import listed
from assess_registry.console import print_json

HEADINGS = (
    "DISTRIBUTION",
    "VERSION",
    "PYTHON",
    "STATE",
    "PLUGINS",
    "CHECKS",
    "SIGNED BY",
    "GRANTED",
    "WAITING",
    "HELD",
)


@click.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Every version that is installed, not only what serves.")
@output_option("table", "json")
@common
def command(*, everything: bool, output: str, config: Path | None, state_dir: Path | None) -> None:
    """List the active plugins."""
    with open_runtime(config, state_dir) as runtime:
        found = [
            (each, permitted(each.plugin, runtime.config, runtime.store))
            for each in listed(runtime, everything=everything)
        ]
    if output == "json":
        plugins = [
            facts_of(each.plugin) | {"states": list(each.states), "held": list(each.held)} | permission_facts(allowed)
            for each, allowed in found
        ]
        print_json({"plugins": plugins})
        return
    rows = [
        (
            each.plugin.distribution,
            each.plugin.version,
            each.plugin.interpreter.version,
            ", ".join(each.states),
            entries(each.plugin),
            str(len(each.plugin.manifest.checks)),
            each.plugin.signer[:23],
            granted_cell(allowed.grant),
            allowed.growth.version if allowed.growth is not None else "",
            ", ".join(each.held),
        )
        for each, allowed in found
    ]
    show_table(HEADINGS, rows, none="no plugin is installed here; `assess sync` installs what is configured")

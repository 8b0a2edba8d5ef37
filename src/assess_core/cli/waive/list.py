"""`assess waive list`: who answers for which failures, and until when."""

from pathlib import Path

import click

from assess_core.cli.options import common, load_config, output_option
from assess_core.cli.tables import show_table
from assess_core.cli.waive.facts import unknown_checks, waiver_facts
from assess_core.clock import utc_now
from assess_registry.client import plain
from assess_registry.console import print_json


@click.command(name="list")
@output_option("table", "json")
@common
def command(output: str, config: Path | None, state_dir: Path | None) -> None:
    """List the waivers of the configuration: active, expiring, or expired, which counts no more."""
    facts = waiver_facts(load_config(config), utc_now())
    if facts:
        for sentence in unknown_checks(list(dict.fromkeys(each["check"] for each in facts)), config, state_dir):
            click.echo(f"warning: {plain(sentence)}", err=True)
    if output == "json":
        print_json({"waivers": facts})
        return
    columns = ("state", "expires", "check", "subject", "owner", "reason")
    rows = [tuple(each[column] for column in columns) for each in facts]
    none = "nothing is waived; `assess waive add` answers for a failure until a day"
    show_table(tuple(column.upper() for column in columns), rows, none=none)

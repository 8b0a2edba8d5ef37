"""`assess waive remove`: nobody answers for a failure any more."""

import os
from pathlib import Path

import click

from assess_core.cli.options import common, output_option
from assess_core.config import config_path, rewrite, without_waiver
from assess_registry.client import plain
from assess_registry.console import print_json


@click.command(name="remove")
@click.option("--check", required=True, metavar="ID", help="The check, exactly.")
@click.option("--subject", required=True, metavar="ID", help="The subject, exactly.")
@output_option("table", "json")
@common
def command(
    check: str,
    subject: str,
    output: str,
    config: Path | None,
    state_dir: Path | None,  # noqa: ARG001  every command has it
) -> None:
    """Take a waiver out of the configuration; everything else in the file stays as it is."""
    rewrite(config_path(config, os.environ), lambda text: without_waiver(text, (check, subject)))
    if output == "json":
        print_json({"removed": {"check": check, "subject": subject}})
    else:
        click.echo(f"{plain(check)} on {plain(subject)} is not waived any more")

"""`assess plugins resume`: what is held against a plugin is forgotten."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.clock import timestamp
from assess_core.versions import resume
from assess_registry.client import plain
from assess_registry.console import print_json


@click.command(name="resume")
@click.argument("distribution")
@output_option("table", "json")
@common
def command(distribution: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Start workers of DISTRIBUTION again, and bring up what failed: lift its quarantine, and forget its failures."""
    with open_runtime(config, state_dir) as runtime:
        done = resume(runtime, distribution)
    quarantine = done.quarantine
    if output == "json":
        lifted = None if quarantine is None else {"version": quarantine.version, "since": timestamp(quarantine.since)}
        failed = [{"version": each.version, "tries": each.tries, "reason": each.reason} for each in done.failed]
        print_json({"distribution": distribution, "quarantine": lifted, "failed": failed})
        return
    if quarantine is not None:
        click.echo(f"{distribution}: {quarantine.version} was in quarantine since {timestamp(quarantine.since)}")
        for death in quarantine.deaths:
            click.echo(f"  {timestamp(death.at)} {death.phase}: {plain(death.message)}")
    for each in done.failed:
        click.echo(f"{distribution}: {each.version} had failed {each.tries} times: {plain(each.reason)}")
    if quarantine is None and not done.failed:
        click.echo(f"{distribution}: nothing was held against it")

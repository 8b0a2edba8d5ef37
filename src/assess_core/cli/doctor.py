"""`assess doctor`: could plugins run here as they are configured, and what is to be done?"""

import os
from dataclasses import asdict
from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.doctor import Chosen, Line, examine
from assess_registry.client import plain
from assess_registry.console import EXIT_OPERATIONAL, print_json


@click.command(name="doctor")
@output_option("table", "json")
@common
def command(output: str, config: Path | None, state_dir: Path | None) -> int:
    """Try whether plugins can run here as they are configured, and say what to do. Exits 1 if they cannot."""
    chosen = Chosen.by(config=config, state=state_dir, environ=os.environ)
    with open_runtime(config, state_dir) as runtime:
        if output == "table":
            lines = tuple(_told(line) for line in examine(runtime, chosen))
        else:
            lines = tuple(examine(runtime, chosen))
    code = EXIT_OPERATIONAL if any(line.state == "fail" for line in lines) else 0
    if output == "json":
        print_json({"lines": [asdict(line) for line in lines], "exit": code})
    return code


def _told(line: Line) -> Line:
    """At once: looking at every plugin takes a while, and what was found first is of use already."""
    click.echo(f"{line.state:4} {plain(line.topic)}: {plain(line.text)}")
    if line.fix:
        click.echo(f"     -> {plain(line.fix)}")
    return line

"""`assess doctor`: could plugins run here as they are configured?"""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.doctor import examine
from assess_registry.client import plain
from assess_registry.console import EXIT_OPERATIONAL, print_json


@click.command(name="doctor")
@output_option("table", "json")
@common
def command(output: str, config: Path | None, state_dir: Path | None) -> int:
    """Try whether plugins can run here as they are configured. Exits 1 if they cannot."""
    with open_runtime(config, state_dir) as runtime:
        lines = tuple(examine(runtime))
    code = EXIT_OPERATIONAL if any(line.state == "problem" for line in lines) else 0
    if output == "json":
        documents = [{"topic": line.topic, "state": line.state, "text": line.text} for line in lines]
        print_json({"lines": documents, "exit": code})
    else:
        for line in lines:
            click.echo(f"{line.state:8} {plain(line.topic)}: {plain(line.text)}")
    return code

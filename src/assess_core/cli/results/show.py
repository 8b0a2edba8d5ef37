"""`assess results show`: one earlier run again, in any form."""

from pathlib import Path

import click

from assess_core.cli.options import DEFAULT_FAIL_ON, common, open_runtime, output_option
from assess_core.cli.results.asked import again, named
from assess_core.cli.show import colour_wanted, width_wanted
from assess_core.formats import FORMATS, render


@click.command(name="show")
@click.argument("run_id")
@output_option(*FORMATS)
@common
def command(run_id: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Print the results of one earlier run again. RUN_ID may be shortened while it stays unique."""
    with open_runtime(config, state_dir) as runtime:
        run = again(runtime, named(runtime, run_id))
    click.echo(render(output, run, fail_on=DEFAULT_FAIL_ON, colour=colour_wanted(), width=width_wanted()), nl=False)

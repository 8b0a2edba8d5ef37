"""`assess-registry gc`."""

from pathlib import Path

import click

from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.signing import now
from assess_registry.config import load_config
from assess_registry.console import FiniteRange, print_json
from assess_registry.publish.garbage import collect_garbage
from assess_registry.text import plain

_DAY_S = 86_400


@click.command("gc")
@click.option(
    "--keep-days",
    type=FiniteRange(min=0),
    default=7.0,
    show_default=True,
    help="Keep what was named within these days: clients may still be reading it.",
)
@index_option
@output_option
def command(*, keep_days: float, root: Path, output: str) -> None:
    """Remove what nobody names any more: old metadata, leftovers of killed publishes, submissions that are done."""
    load_config(root)
    removed = collect_garbage(root, keep_s=keep_days * _DAY_S, now=now())
    if output == "json":
        print_json({"removed": list(removed)})
        return
    for path in removed:
        click.echo(plain(path))
    click.echo(f"removed {len(removed)} files and directories", err=True)

"""`assess plugins prune`: what nobody needs and nobody uses is removed."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.plugins.facts import pruned_facts, tell_pruned
from assess_core.versions import remove_unneeded
from assess_registry.console import print_json


@click.command(name="prune")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="How many older versions of each plugin stay, to go back to.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@output_option("table", "json")
@common
def command(*, keep: int, dry_run: bool, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Remove versions that neither serve nor are pinned, nor wait, nor are in use, and all that only they needed."""
    with open_runtime(config, state_dir) as runtime:
        pruned = remove_unneeded(runtime, keep=keep, dry_run=dry_run)
    if output == "json":
        print_json({"dry_run": dry_run, **pruned_facts(pruned)})
    else:
        tell_pruned(pruned, dry_run=dry_run)

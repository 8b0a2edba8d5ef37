"""What `sync` and `run` say of a plugin that could not be brought up to date."""

import click

from assess_core.pipeline import Action, Synced
from assess_registry.client import plain, plain_lines


def tell(line: Synced) -> None:
    """On stderr, what went wrong with a plugin, all of it; nothing when nothing did."""
    if line.action is Action.REFUSED:
        click.echo(f"assess: {plain(line.distribution)}: {plain_lines(line.reason)}", err=True)
    elif line.action is Action.FAILED:
        click.echo(f"assess: {plain(line.distribution)}: {plain(line.reason)}", err=True)
    elif line.action is Action.STALE:
        click.echo(f"assess: {line.distribution}: using what is installed; {plain(line.reason)}", err=True)

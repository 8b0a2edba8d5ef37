"""Tables on stdout; one without a row says so on stderr, where no program takes it for a row."""

from collections.abc import Sequence

import click

from assess_registry.client import table


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, none: str) -> None:
    """The rows are printed; if there are none, what that means, and what would make one."""
    if not rows:
        click.echo(none, err=True)
    click.echo(table(headings, rows), nl=False)

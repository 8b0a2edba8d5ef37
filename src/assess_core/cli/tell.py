"""What `sync` and `run` say of a plugin that could not be brought up to date, or that waits for somebody."""

import click

from assess_core.delivery.values import Action, Synced
from assess_core.grants import Growth
from assess_registry.client import plain, plain_lines


def tell(line: Synced, *, quiet: bool = False) -> None:
    """On stderr, what went wrong with a plugin and what it waits for, all of it; nothing when nothing did.

    `quiet` leaves out what changes nothing: that something in the configuration has no effect.
    """
    if line.action is Action.REFUSED:
        _say(line, plain_lines(line.reason))
    elif line.action in (Action.FAILED, Action.HELD):
        _say(line, plain(line.reason))
    elif line.action is Action.STALE:
        _say(line, f"using what is installed; {plain(line.reason)}")
    if line.growth is not None:
        _say(line, waits(line.growth, running=line.previous))
    if line.withheld:
        _say(line, f"{line.version} does not start:" + "".join(f"\n  {plain(each)}" for each in line.withheld))
        if line.previous and line.previous != line.version:
            _say(line, f"{line.previous} runs on")
    for warning in () if quiet else line.warnings:
        _say(line, f"warning: {plain(warning)}")


def waits(growth: Growth, *, running: str) -> str:
    """What waits for consent, and what there is to do, in several lines."""
    more = "".join(f"\n  {plain(each)}" for each in growth.words)
    meanwhile = f"{running} runs on" if running else "nothing of it runs"
    stay = f'\nto stay with what runs: version = "=={running}" in its entry' if running else ""
    return (
        f"{growth.version} waits for consent, and {meanwhile}. Beyond what {growth.since} may do it asks for:{more}\n"
        f"to let it have that: {growth.command}{stay}"
    )


def _say(line: Synced, text: str) -> None:
    click.echo(f"assess: {plain(line.distribution)}: {text}", err=True)

"""The group `assess results`: its verbs, a module each."""

import click

from assess_registry.console import LazyGroup

VERBS = {
    "list": "List earlier runs, newest first.",
    "show": "Print the results of one earlier run again.",
    "diff": "Say what is new since the run before, and what is resolved.",
    "verify": "Say whether the journal is what this runtime wrote.",
    "prune": "Remove what is older than the configuration keeps.",
    "backup": "Copy the journal while it is in use.",
}
"""In the order of a working day; each is the module `assess_core.cli.results.<verb>`."""


@click.group(name="results", cls=LazyGroup, package="assess_core.cli.results", verbs=VERBS)
def command() -> None:
    """What earlier runs found."""

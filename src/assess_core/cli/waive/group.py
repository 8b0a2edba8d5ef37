"""The group `assess waive`: its verbs, a module each."""

import click

from assess_registry.console import LazyGroup

VERBS = {
    "add": "Answer for a failure until a day.",
    "list": "List who answers for which failures, and until when.",
    "remove": "Answer for a failure no more.",
}


@click.group(name="waive", cls=LazyGroup, package="assess_core.cli.waive", verbs=VERBS)
def command() -> None:
    """Who answers for failures that are known. They stay failures: a run with one exits 3 all the same."""

"""The group `assess plugins`: its verbs, a module each."""

import click

from assess_registry.console import LazyGroup

VERBS = {
    "list": "List the active plugins.",
    "show": "Say what a plugin may do, how it can be set, and what it checks.",
    "verify": "Compare every file with the audited wheels.",
    "consent": "Let a version have what it asks for beyond the one that runs.",
}
"""In the order of a plugin's life; each is the module `assess_core.cli.plugins.<verb>`."""


@click.group(name="plugins", cls=LazyGroup, package="assess_core.cli.plugins", verbs=VERBS)
def command() -> None:
    """What is installed, and whether it is what was audited."""

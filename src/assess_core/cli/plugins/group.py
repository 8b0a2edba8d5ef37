"""The group `assess plugins`: its verbs, a module each."""

import click

from assess_registry.console import LazyGroup

VERBS = {
    "list": "List the active plugins, and how they stand.",
    "show": "Say what a plugin may do, how it can be set, and what it checks.",
    "compat": "Say whether a plugin would run here, and why not.",
    "verify": "Compare every file with the audited wheels.",
    "consent": "Let a version have what it asks for beyond the one that runs.",
    "rollback": "Let the version serve again that served before.",
    "pin": "Stay with one version.",
    "resume": "Start again what was quarantined, and bring up what failed.",
    "prune": "Remove versions that nobody needs and nobody uses.",
    "uninstall": "Remove a plugin that the configuration does not name.",
}
"""In the order of a plugin's life; each is the module `assess_core.cli.plugins.<verb>`."""


@click.group(name="plugins", cls=LazyGroup, package="assess_core.cli.plugins", verbs=VERBS)
def command() -> None:
    """What is installed, and whether it is what was audited."""

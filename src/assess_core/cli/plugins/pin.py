"""`assess plugins pin`: one version, and nothing newer, until the pin is taken away."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.plugins.facts import pin_facts
from assess_core.errors import ConfigError
from assess_core.versions import pin, unpin
from assess_registry.client import plain
from assess_registry.console import print_json


@click.command(name="pin")
@click.argument("release")
@click.option("--none", is_flag=True, help="Take the pin away; RELEASE is the name alone.")
@output_option("table", "json")
@common
def command(*, release: str, none: bool, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Stay with RELEASE (NAME==VERSION): the next `assess sync` brings it up, and nothing newer."""
    name, _, version = release.partition("==")
    if bool(version) is none:
        raise ConfigError(f"argument: expected NAME==VERSION, or NAME with --none, got {plain(release)!r}")
    with open_runtime(config, state_dir) as runtime:
        if none:
            removed = unpin(runtime, name)
            facts = None
        else:
            facts = pin_facts(pin(runtime, name, version))
    if output == "json":
        print_json({"distribution": name, "pin": facts})
    elif none:
        click.echo(f"{plain(name)}: " + (f"{removed.version} was pinned" if removed else "nothing was pinned"))
    else:
        click.echo(f"{plain(name)}: {plain(version)} is pinned; the next `assess sync` brings it up if it is published")

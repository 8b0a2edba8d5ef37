"""`assess plugins pin`: one version, and nothing newer, until the pin is taken away."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.plugins.facts import pin_facts
from assess_core.errors import ConfigError
from assess_core.versions import held_back, pin, unpin
from assess_registry.client import plain, plain_lines
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
        problems: tuple[str, ...] = ()
        if none:
            removed = unpin(runtime, name)
            facts = None
        else:
            pinned = pin(runtime, name, version)
            facts, problems = pin_facts(pinned), held_back(runtime, pinned, name)
    if output == "json":
        print_json({"distribution": name, "pin": facts, "problems": list(problems)})
    elif none:
        click.echo(f"{plain(name)}: " + (f"{removed.version} was pinned" if removed else "nothing was pinned"))
    elif problems:
        click.echo(f"{plain(name)}: {plain(version)} is pinned, and is not brought up as things are")
    else:
        click.echo(f"{plain(name)}: {plain(version)} is pinned; the next `assess sync` brings it up if it is published")
    for problem in problems:
        click.echo(f"assess: {plain(name)}: {plain_lines(problem)}", err=True)

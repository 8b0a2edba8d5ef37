"""`assess plugins compat`: would it run here, and why not?"""

from dataclasses import asdict
from pathlib import Path

import click
from packaging.requirements import InvalidRequirement, Requirement

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.errors import ConfigError
from assess_registry.client import plain, plain_lines, table
from assess_registry.console import EXIT_OPERATIONAL, print_json

HEADINGS = ("PLUGIN", "VERSION", "API", "PYTHON", "RUNS")


@click.command(name="compat")
@click.argument("release", required=False)
@output_option("table", "json")
@common
def command(release: str | None, output: str, config: Path | None, state_dir: Path | None) -> int:
    """Say whether RELEASE (NAME or NAME==VERSION; default: all of the configuration) would run here; exit 1 if not.

    Nothing is installed for that: what is not here is fetched and verified, and not kept.
    """
    try:
        asked = None if release is None else Requirement(release)
    except InvalidRequirement as error:
        raise ConfigError(f"argument: expected NAME or NAME==VERSION, got {plain(release or '')!r}") from error
    with open_runtime(config, state_dir) as runtime:
        found = runtime.compat(asked)
    code = 0 if all(each.runs for each in found) else EXIT_OPERATIONAL
    if output == "json":
        print_json({"plugins": [_facts(asdict(each) | {"runs": each.runs}) for each in found], "exit": code})
        return code
    rows = [
        (
            each.distribution,
            each.version,
            each.api,
            each.python.version if each.python is not None else "",
            "yes" if each.runs else "no",
        )
        for each in found
    ]
    click.echo(table(HEADINGS, rows), nl=False)
    for each in found:
        for problem in each.problems:
            click.echo(f"assess: {plain(each.distribution)}: {plain_lines(problem)}", err=True)
    return code


def _facts(value: object) -> object:
    """With paths as text."""
    match value:
        case dict():
            return {key: _facts(item) for key, item in value.items()}
        case list() | tuple():
            return [_facts(item) for item in value]
        case Path():
            return str(value)
        case _:
            return value

"""`assess plugins verify`: whether it still is what was audited."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.errors import ConfigError
from assess_registry.client import plain_lines
from assess_registry.console import print_json


@click.command(name="verify")
@click.argument("environment", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@output_option("table", "json")
@common
def command(
    environment: Path | None,
    output: str,
    config: Path | None,
    state_dir: Path | None,
) -> int:
    """Compare every file of ENVIRONMENT (default: all active ones) with the audited wheels; exit 5 on a difference.

    ENVIRONMENT may have been made by pip from the index; its plugin has to be one that is active here.
    """
    with open_runtime(config, state_dir) as runtime:
        reports = runtime.verify(environment)
    if not reports:
        raise ConfigError("no plugin is active; run `assess sync` first")
    if output == "json":
        print_json({"environments": [report.as_dict() for report in reports]})
    else:
        for report in reports:
            click.echo(plain_lines(report.summary))
    return 0 if all(report.accepted for report in reports) else 5

"""`assess-registry install NAME`."""

from dataclasses import asdict
from pathlib import Path

import click

from assess_registry.cli.options import output_option
from assess_registry.cli.places import (
    access_options,
    place_option,
    python_option,
    trusted_keys_directory,
    trusted_keys_option,
)
from assess_registry.client import Access, Target
from assess_registry.console import FiniteRange, print_json
from assess_registry.simple import InstallReport, install
from assess_registry.text import table


@click.command("install")
@click.argument("requirement")
@place_option
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder of plugins; made if absent.",
)
@trusted_keys_option
@python_option
@click.option(
    "--timeout", "timeout_s", type=FiniteRange(0, 86_400, min_open=True), default=60.0, show_default=True,
    help="Seconds for resolving, and again for fetching.",
)  # fmt: skip
@access_options
@output_option
def command(
    *,
    requirement: str,
    index: str,
    to: Path,
    trusted_keys: Path | None,
    target: Target | None,
    timeout_s: float,
    access: Access,
    output: str,
) -> None:
    """Put a plugin, NAME or NAME==VERSION, with its signatures, its lock and all it runs with into a folder, verified.

    The folder is what `[[plugins]] dir` of assess.toml takes. Installing the same again changes nothing.
    """
    report = install(
        requirement,
        index=index,
        to=to,
        trusted_keys=trusted_keys_directory(trusted_keys),
        timeout_s=timeout_s,
        target=target,
        access=access,
    )
    if output == "json":
        print_json({"installed": asdict(report) | {"directory": str(report.directory)}})
    else:
        click.echo(_summary(report), nl=False)


def _summary(report: InstallReport) -> str:
    changed = f"yes, from {report.previous}" if report.previous not in ("", report.version) else "yes"
    rows = [
        ("plugin", f"{report.project} {report.version}"),
        ("in", report.directory),
        ("wheel", report.filename),
        ("sha256", report.sha256),
        ("signed by", report.signer),
        ("lock", f"sha256:{report.lock_sha256}"),
        *(("with", filename) for filename in report.closure),
        ("changed", changed if report.changed else "nothing, it was there already"),
    ]
    return table(("INSTALLED", ""), rows)

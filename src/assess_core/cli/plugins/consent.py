"""`assess plugins consent`: somebody lets a version have what it asks for."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.permitted import consent_facts, waiting_facts
from assess_core.delivery.consenting import consent
from assess_core.errors import ConfigError
from assess_registry.client import plain
from assess_registry.console import print_json


@click.command(name="consent")
@click.argument("release")
@click.option("--to", "digest", required=True, help="What is consented to, as `assess sync` names it.")
@output_option("table", "json")
@common
def command(release: str, digest: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Let RELEASE (NAME==VERSION) have what it asks for beyond the version that runs.

    `assess sync` shows what that is, and the digest that names it; another wheel, or another difference, has another.
    """
    name, _, version = release.partition("==")
    if not version:
        raise ConfigError(f"argument: expected NAME==VERSION, got {plain(release)!r}")
    with open_runtime(config, state_dir) as runtime:
        given, growth = consent(name, version, digest=digest, store=runtime.store)
    if output == "json":
        print_json({"consent": {"distribution": growth.distribution, **waiting_facts(growth), **consent_facts(given)}})
        return
    more = "".join(f"\n  {plain(each)}" for each in growth.words)
    click.echo(f"{given.by} consented to {growth.distribution} {growth.version}:{more}")
    click.echo("the next `assess sync` or `assess run` lets it run", err=True)

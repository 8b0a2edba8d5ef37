"""`assess explain CHECK`: what a check looks at, why, and what to do about it."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.config import unknown_name
from assess_core.errors import ConfigError
from assess_registry.client import CheckSpec, plain
from assess_registry.console import print_json


@click.command(name="explain")
@click.argument("check")
@output_option("table", "json")
@common
def command(check: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Say what CHECK of an installed plugin is about."""
    with open_runtime(config, state_dir) as runtime:
        installed = runtime.installed()
    found = {spec.id: (plugin, spec) for plugin in installed for spec in plugin.manifest.checks}
    if check not in found:
        if not installed:
            raise ConfigError("no plugin is installed yet; run `assess sync` first")
        raise ConfigError(unknown_name("check", check, list(found), where="argument"))
    plugin, spec = found[check]
    facts = {**_facts(spec), "distribution": plugin.distribution, "version": plugin.version}
    if output == "json":
        print_json({"check": facts})
        return
    for name, value in facts.items():
        text = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{name + ':':14}{plain(text)}")


def _facts(spec: CheckSpec) -> dict[str, str | list[str]]:
    return {
        "id": spec.id,
        "title": spec.title,
        "severity": spec.severity,
        "controls": list(spec.controls),
        "remediation": spec.remediation,
        "plugin": spec.plugin,
    }

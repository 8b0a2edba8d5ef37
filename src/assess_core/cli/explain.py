"""`assess explain NAME`: what a check looks at, why, and what to do about it; when an assessment runs, and why then.

A name may be both. What is said of an assessment comes from the configuration and the journal, whether or not an
`assess up` is at work.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click

from assess_core.cli.explained import document, explained, lines
from assess_core.cli.options import common, load_config, open_runtime, output_option
from assess_core.clock import utc_now
from assess_core.config import unknown_name
from assess_core.errors import ConfigError
from assess_core.place import state_directory
from assess_core.store import InstalledPlugin
from assess_core.up.lock import who_is_up
from assess_registry.client import CheckSpec, plain
from assess_registry.console import print_json


@click.command(name="explain")
@click.argument("name")
@output_option("table", "json")
@common
def command(name: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Say what a check is about, or when an assessment runs and why: NAME is either, or both."""
    loaded = load_config(config)
    up = who_is_up(state_directory(state_dir, os.environ, loaded))
    assessments = {each.id: each for each in loaded.assessments}
    with open_runtime(config, state_dir) as runtime:
        installed = runtime.installed()
        check = _check(name, installed)
        assessment = (
            explained(assessments[name], loaded, runtime.journal, up=up, now=utc_now()) if name in assessments else None
        )
    if check is None and assessment is None:
        if not installed and not assessments:
            raise ConfigError("no plugin is installed yet; run `assess sync` first")
        known = [*assessments, *(spec.id for plugin in installed for spec in plugin.manifest.checks)]
        raise ConfigError(unknown_name("check or assessment", name, known, where="argument"))
    if output == "json":
        found = {"check": check, "assessment": document(assessment) if assessment is not None else None}
        print_json({kind: facts for kind, facts in found.items() if facts is not None})
        return
    if check is not None:
        _print((word, ", ".join(value) if isinstance(value, list) else value) for word, value in check.items())
    if assessment is not None:
        _print(lines(assessment))


def _check(name: str, installed: Sequence[InstalledPlugin]) -> Mapping[str, str | list[str]] | None:
    having = [(plugin, spec) for plugin in installed for spec in plugin.manifest.checks if spec.id == name]
    if not having:
        return None
    (plugin, spec), *others = having
    facts = {**_facts(spec), "distribution": plugin.distribution, "version": plugin.version}
    if others:  # never both on one subject: `plan` sees to that
        facts["also"] = [f"{other.distribution} {other.version}: {its.title}" for other, its in others]
    return facts


def _facts(spec: CheckSpec) -> dict[str, str | list[str]]:
    return {
        "id": spec.id,
        "title": spec.title,
        "severity": spec.severity,
        "controls": list(spec.controls),
        "remediation": spec.remediation,
        "plugin": spec.plugin,
    }


def _print(said: Iterable[tuple[str, str]]) -> None:
    for name, text in said:
        click.echo(f"{name + ':':14}{plain(text)}")

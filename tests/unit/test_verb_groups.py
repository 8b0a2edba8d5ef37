"""Whoever types no verb, or one that there is not, is told which there are: one message, and exit 2."""

import click
import pytest

from assess_core.cli.app import app
from assess_registry import console
from assess_registry.cli.app import cli

GROUPS = [
    (program, group, path)
    for program, group in (("assess", app), ("assess-registry", cli))
    for path in ([], *([name] for name in group.list_commands(click.Context(group))))
    if not path or isinstance(group.get_command(click.Context(group), path[0]), click.Group)
]


@pytest.mark.parametrize(("program", "group", "path"), GROUPS, ids=[" ".join((p, *path)) for p, _, path in GROUPS])
@pytest.mark.parametrize("typed", [[], ["nope"]], ids=["nothing", "a word that is none"])
def test_a_group_without_a_verb_names_its_verbs(
    program: str, group: click.Group, path: list[str], typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.run(group, program, [*path, *typed], lambda _error: None) == console.EXIT_USAGE
    said = capsys.readouterr()
    first, *_, last = said.err.splitlines()
    assert not said.out
    assert first.startswith(f"{program}: ")
    assert "; expected one of: " in first
    assert last == f"Try '{' '.join((program, *path))} --help'."
    assert said.err.count("Usage:") == 1


@pytest.mark.parametrize(("program", "group", "path"), GROUPS, ids=[" ".join((p, *path)) for p, _, path in GROUPS])
def test_help_that_was_asked_for_is_printed(
    program: str, group: click.Group, path: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.run(group, program, [*path, "--help"], lambda _error: None) == console.EXIT_DONE
    said = capsys.readouterr()
    assert said.out.startswith("Usage:")
    assert not said.err

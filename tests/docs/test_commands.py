"""docs/commands.md and the programs say the same, both ways: commands, options, choices, defaults, exit codes.

And no document, help text or template sends anybody to a command that does not exist.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from assess_core import results
from assess_core.cli.app import app
from assess_core.errors import EXIT_DAMAGED
from assess_registry import console
from assess_registry.cli.app import cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "commands.md").read_text()
PROGRAMS: Mapping[str, click.Group] = {"assess": app, "assess-registry": cli}
EVERYWHERE = {"--help", "-h", "--version"}
"""Documented once, at the top."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One row of a table, or one parameter of a command."""

    names: frozenset[str]
    choices: tuple[str, ...]
    default: str
    required: bool


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group that does something, by what one types."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command


REAL = {name: command for program, group in PROGRAMS.items() for name, command in commands(group, program)}
SECTIONS = dict(re.findall(r"^## `(assess[a-z -]*)`\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def test_every_command_is_documented_and_every_documented_one_exists() -> None:
    assert list(SECTIONS) == sorted(SECTIONS, key=list(SECTIONS).index)
    assert SECTIONS.keys() == REAL.keys()
    assert len(REAL) >= 12


def documented(section: str) -> set[Parameter]:
    found = set()
    for names, takes, default, means in re.findall(
        r"^\| (`.+?) \| (.*?) ?\| (.*?) ?\| (.+) \|$", section, re.MULTILINE
    ):
        assert means.strip()
        choices = tuple(re.findall(r"`([^`=]+)`", takes))
        last = re.findall(r"`([^`]+)`", default)[-1:] or [""]
        found.add(
            Parameter(
                names=frozenset(re.findall(r"`([^`]+)`", names)),
                choices=choices,
                default="" if default.startswith("`ASSESS_CONFIG") else last[0],
                required=default == "required",
            )
        )
    return found


def real(command: click.Command) -> set[Parameter]:
    return {_real(parameter) for parameter in command.params if not EVERYWHERE & set(parameter.opts)}


def _real(parameter: click.Parameter) -> Parameter:
    flag = isinstance(parameter, click.Option) and parameter.is_flag
    argument = isinstance(parameter, click.Argument)
    default = parameter.default
    told = isinstance(default, str | int | Path) and not flag and not parameter.required
    return Parameter(
        names=frozenset([(parameter.name or "").upper()] if argument else (*parameter.opts, *parameter.secondary_opts)),
        choices=tuple(parameter.type.choices) if isinstance(parameter.type, click.Choice) else (),
        default=str(default) if told else "",
        required=parameter.required,
    )


@pytest.mark.parametrize("name", REAL)
def test_arguments_and_options_are_those_that_exist(name: str) -> None:
    written, existing = documented(SECTIONS[name]), real(REAL[name])
    defaults = {one.names: one.default for one in existing}
    # Where the program takes its default from elsewhere, the page may say in words what that is.
    comparable = {
        Parameter(names=one.names, choices=one.choices, default=one.default if defaults.get(one.names) else "",
                  required=one.required)
        for one in written
    }  # fmt: skip
    assert comparable == existing


@pytest.mark.parametrize("name", REAL)
def test_variables_are_those_that_exist(name: str) -> None:
    for parameter in REAL[name].params:
        said = f"{parameter.envvar or ''} {getattr(parameter, 'help', '') or ''}"
        variables = set(re.findall(r"ASSESS_[A-Z_]+", said))
        (row,) = [
            row
            for row in SECTIONS[name].splitlines()
            if row.startswith(
                f"| `{parameter.opts[0] if parameter.opts[0].startswith('-') else parameter.opts[0].upper()}`"
            )
        ] or [""]
        assert row, parameter.opts
        assert set(re.findall(r"ASSESS_[A-Z_]+", row)) == variables


def exit_codes(column: int) -> set[int]:
    rows = re.findall(r"^\| `(\d+)` \| .+ \| (yes|no) \| (yes|no) \|$", TEXT, re.MULTILINE)
    assert rows
    return {int(row[0]) for row in rows if row[column] == "yes"}


def test_exit_codes_are_those_that_exist() -> None:
    shared = {value for name, value in vars(console).items() if name.startswith("EXIT_")}
    of_runs = {value for name, value in vars(results).items() if name.startswith("EXIT_")}
    assert exit_codes(2) == shared
    assert exit_codes(1) == shared | of_runs | {EXIT_DAMAGED}


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_names_the_same_exit_codes(program: str) -> None:
    told = (PROGRAMS[program].help or "").partition("Exit codes:")[2]
    assert {int(code) for code in re.findall(r"\b\d+\b", told)} == exit_codes(1 if program == "assess" else 2)


def mentions() -> Iterator[tuple[str, str, str]]:
    """(where, program, what follows it) of every command that a document or a text of ours tells people to type."""
    places = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("s*/README.md"), *ROOT.glob("contrib/*/*.md")]
    for place in (*places, *sorted((ROOT / "src").rglob("*.py")), ROOT / "Makefile"):
        for program, rest in _TYPED.findall(place.read_text()):
            yield place.relative_to(ROOT).as_posix(), program, rest


_TYPED = re.compile(r"(?:`|\$ (?:\.venv/bin/)?|\bwith: |\bthen: )(assess|assess-registry) ([^`\n|\"]+)")


def named(program: str, rest: str) -> str | None:
    """The command that a text names, None if there is no such command."""
    words = f"{program} {rest} "
    return next((name for name in REAL if words.startswith(f"{name} ")), None)


def test_nobody_is_sent_to_a_command_that_does_not_exist() -> None:
    found = list(mentions())
    assert len(found) > 20
    groups = {name.rpartition(" ")[0] for name in REAL}
    wrong = [
        f"{where}: {program} {rest}"
        for where, program, rest in found
        if named(program, rest) is None and f"{program} {rest.strip()}" not in groups and rest not in EVERYWHERE
    ]
    assert not wrong


def test_options_that_documents_mention_exist() -> None:
    wrong = []
    for where, program, rest in mentions():
        name = named(program, rest)
        if name is not None:
            options = {option for parameter in REAL[name].params for option in parameter.opts} | EVERYWHERE
            wrong += [
                f"{where}: {name} {option}" for option in re.findall(r"(?<!\S)--[a-z-]+", rest) if option not in options
            ]
    assert not wrong

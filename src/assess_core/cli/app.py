"""The command itself: finds a verb's file when the verb is used, and turns errors into exit codes in one place.

Verbs are imported lazily: what most of them need takes longer to import than the shell takes to complete a word.

Exit codes: 0 done; 1 operational error; 2 usage or configuration; 3 findings; 4 incomplete; 5 refused by trust policy;
130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import NoReturn

import click

VERBS = {
    "init": "write a commented assess.toml",
    "sync": "install exactly the plugins the configuration asks for",
    "run": "assess, and report",
    "explain": "say what a check looks at, and what to do about it",
    "plugins": "what is installed, and whether it is what was audited",
    "results": "what earlier runs found",
}
"""Literal, so that help and completion need no imports; each verb is the module `assess_core.cli.<verb>`."""

OUTPUT = "assess.output"
"""Key of `click.Context.meta`: the --output that was asked for, which an error honours too."""


class Verbs(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's form
        """All verbs, in the order of a working day."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb's command, or None for an unknown verb."""
        if cmd_name not in VERBS:
            return None
        command = import_module(f"assess_core.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101  every module of VERBS defines one; tested
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"assess {metadata.version('assess-runtime')}")
        ctx.exit()


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def app() -> None:
    """Run signed compliance plugins against this machine, and say what they found."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; data is on stdout, everything else on stderr."""
    meta: dict[str, object] = {}
    try:
        with app.make_context("assess", list(arguments)) as context:
            meta = context.meta
            code = app.invoke(context)
            sys.stdout.flush()  # a full disk or a closed pipe shows here, while it still has an exit code
    except click.exceptions.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader of our stdout went away; the interpreter must not complain a second time while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return _report(error, meta.get(OUTPUT))
    return code if isinstance(code, int) else 0


def _report(error: Exception, output: object) -> int:
    from assess_core.cli.failure import report  # lazily: it knows the errors of every layer

    return report(error, output=output)


def main() -> NoReturn:
    """Entry point of the command `assess`."""
    sys.exit(run(sys.argv[1:]))

"""The command group, and the one place where an error becomes a message and an exit code.

Commands are imported when they are run, so that `assess-registry --version` and completion stay quick. What a command
was asked for goes to stdout, everything else to stderr; with `--output json` an error, too, is one document on stdout.
"""

import importlib
import itertools
import json
import os
import signal
import sys
from collections.abc import Sequence

import click

from assess_registry.errors import ConfigError, PublishError, RegistryError, TransportError, TrustError, WheelError
from assess_registry.text import plain, plain_lines

EXIT_DONE, EXIT_OPERATIONAL, EXIT_USAGE, EXIT_REFUSED, EXIT_INTERRUPTED = 0, 1, 2, 5, 130

COMMANDS = {
    "init": "Make a registry: its configuration and an empty index.",
    "inspect": "Say what wheels hold, or everything that is wrong with them, without importing them.",
    "keys": "Make and list the keys that sign wheels.",
    "list": "List what an index offers.",
    "publish": "Put a signed plugin wheel and its closure into an index.",
}
"""Commands and their one-line help; each is the function `command` in the module of its name."""

_KINDS = {
    TrustError: ("trust", EXIT_REFUSED),
    WheelError: ("wheel", EXIT_REFUSED),
    ConfigError: ("config", EXIT_USAGE),
    PublishError: ("publish", EXIT_OPERATIONAL),
    TransportError: ("transport", EXIT_OPERATIONAL),
    RegistryError: ("registry", EXIT_OPERATIONAL),
    OSError: ("system", EXIT_OPERATIONAL),
}
"""Error class -> its kind in JSON and the exit code; the first that fits."""


class LazyGroup(click.Group):
    """A group whose commands are imported one at a time; help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """The commands, by name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import the module of the command's name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"assess_registry.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """Write the table above, instead of importing every command for its first line."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    import importlib.metadata

    click.echo(f"assess-registry {importlib.metadata.version('assess-runtime')}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Show the version."
)
def cli() -> None:
    """Inspect, sign and publish assess plugins.

    Exit codes: 0 done, 1 operational error, 2 usage or configuration, 5 refused by trust policy, 130 interrupted.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the process's exit code. Never raises for what a user or a wheel can cause."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        code = cli.main(given, prog_name="assess-registry", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.exceptions.Abort):
        return _report(given, "interrupted", "interrupted", EXIT_INTERRUPTED, {})
    except click.ClickException as error:
        return _report(given, "usage", _with_usage(error), EXIT_USAGE, {})
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Nothing may be flushed into the closed pipe while Python shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (RegistryError, OSError) as error:
        kind, exit_code = next(found for root, found in _KINDS.items() if isinstance(error, root))
        return _report(given, kind, str(error), exit_code, _details(error))
    return code if isinstance(code, int) else EXIT_DONE


def _report(argv: Sequence[str], kind: str, message: str, exit_code: int, details: dict[str, object]) -> int:
    if _wants_json(argv):
        error = {"kind": kind, "message": message, "exit": exit_code} | details
        click.echo(json.dumps({"schema": 1, "error": error}, indent=2))
    click.echo(f"assess-registry: {plain_lines(message)}", err=True)
    return exit_code


def _with_usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return error.format_message()
    return f"{error.format_message()}\n{context.get_usage()}\nTry '{context.command_path} --help'."


def _details(error: Exception) -> dict[str, object]:
    """What the error knows besides its message, for programs."""
    details: dict[str, object] = {}
    if isinstance(error, TrustError):
        details = {"step": error.step, "thing": error.thing, "expected": error.expected, "got": error.got}
        details["next_step"] = error.next_step
    if isinstance(error, ConfigError):
        details = {"problems": list(error.problems)}
    if isinstance(error, TrustError | WheelError):
        details["issues"] = [
            {"id": issue.id, "entry": issue.entry, "message": issue.message, "rule": issue.rule}
            for issue in error.issues
        ]
    if isinstance(error, OSError):
        details = {"path": plain(error.filename or "")}
    return details


def _wants_json(argv: Sequence[str]) -> bool:
    """Whether the command line asks for JSON, also when it is too wrong for click to have parsed it."""
    pairs = itertools.pairwise((*argv, ""))
    return any(word == "--output=json" or (word == "--output" and value == "json") for word, value in pairs)

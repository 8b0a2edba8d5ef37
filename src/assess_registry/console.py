"""What both commands, `assess` and `assess-registry`, have in common: lazy verbs, numbers, and one end for every error.

Verbs are imported when they are used: what most of them need takes longer to import than a shell takes to complete a
word. What was asked for goes to stdout, everything else to stderr; with `--output json` (or any other form for
programs) an error, too, is one document on stdout.
"""

import contextlib
import errno
import importlib
import json
import keyword
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TextIO

import click

from assess_registry.text import plain_lines
from assess_registry.valid_json import valid

EXIT_DONE, EXIT_OPERATIONAL, EXIT_USAGE, EXIT_FLAGGED, EXIT_REFUSED, EXIT_INTERRUPTED = 0, 1, 2, 4, 5, 130

_HINTS = (
    ({errno.EACCES, errno.EPERM}, "run it as the user whose files these are, or let that user give you the right"),
    ({errno.ENOSPC, errno.EDQUOT}, "make room, and run the same again: what was there is as it was"),
    ({errno.EROFS}, "it is mounted read-only: run it where the files may be changed"),
    ({errno.EIO, errno.ESTALE}, "look at the disk, or at what it is mounted from"),
    (
        {errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENXIO},
        "something else lies there than belongs there: find out who made it, and remove it",
    ),
    ({errno.ENOENT}, "look whether the path is right, and where it leads to if it is a link"),
    ({errno.EMFILE, errno.ENFILE}, "raise the limit of open files (ulimit -n)"),
    ({errno.ENAMETOOLONG}, "take a shorter name"),
)
"""What to do next, where the system says no more than why; its number helps nobody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An error as people and programs read it, and the exit code it ends in."""

    kind: str
    message: str
    exit_code: int
    details: Mapping[str, Any] = field(default_factory=dict)


class FiniteRange(click.FloatRange):
    """A range of numbers; what is no number, and without an end, is in none: every comparison with `nan` is false."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, if it is one."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class VerbGroup(click.Group):
    """A group that says which verbs it has to whoever typed none, or one that it has not."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As any group does, but nothing at all is a mistake of usage, not a wish for help on stderr."""
        if not args and not ctx.resilient_parsing:
            ctx.fail(f"a command is missing; {self._expected(ctx)}")
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that was typed."""
        if args[0][:1].isalnum() and self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            ctx.fail(f"there is no command {args[0]!r}; {self._expected(ctx)}")
        return super().resolve_command(ctx, args)

    def _expected(self, ctx: click.Context) -> str:
        return f"expected one of: {', '.join(self.list_commands(ctx))}"


class LazyGroup(VerbGroup):
    """A group whose commands are modules: each defines `command`, and is imported when that is run.

    Args:
        package: the package the modules lie in.
        verbs: module name -> one-line help, in the order in which help lists them. Literal, so that help and
            completion import nothing.
    """

    def __init__(self, *args: Any, package: str = "", verbs: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._package = package
        self.verbs = dict(verbs or {})

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's form
        """All verbs."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb's command, imported now; None for an unknown verb."""
        if cmd_name not in self.verbs:
            return None
        # `import` is a word of Python's own: its module bears an underscore.
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = importlib.import_module(f"{self._package}.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.verbs.items()))


def version_option(program: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--version`, which imports the distribution's metadata only when it is asked for."""

    def show(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if not value or ctx.resilient_parsing:
            return
        version = importlib.import_module("importlib.metadata").version("assess-runtime")
        click.echo(f"{program} {version}")
        ctx.exit()

    return click.option(
        "--version", is_flag=True, expose_value=False, is_eager=True, callback=show, help="Show the version."
    )


def run(group: click.Group, program: str, argv: Sequence[str], explain: Callable[[Exception], Failure | None]) -> int:
    """Run one command line; returns the process's exit code.

    Args:
        group: the command.
        program: its name, which begins every message.
        argv: the arguments after the name.
        explain: turns an error into a failure; None for a bug of ours, which then stays loud.
    """
    if not _streams_are_open(program):
        return EXIT_OPERATIONAL
    try:
        code = group.main(list(argv), prog_name=program, standalone_mode=False)
        _flush(sys.stdout)  # a full disk or a closed pipe shows here, while it still has an exit code
    except (KeyboardInterrupt, click.exceptions.Abort):
        return _report(program, argv, Failure(kind="interrupted", message="interrupted", exit_code=EXIT_INTERRUPTED))
    except click.ClickException as error:
        return _report(program, argv, Failure(kind="usage", message=_with_usage(error), exit_code=EXIT_USAGE))
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Nothing may be flushed into the closed pipe while Python shuts down.
        _discard(sys.stdout)
        return EXIT_OPERATIONAL
    except Exception as error:
        failure = explain(error)
        if failure is None:
            _tell_bug(program, argv, error)
            raise
        return _report(program, argv, failure)
    return code if isinstance(code, int) else EXIT_DONE


def os_error_message(error: OSError) -> str:
    """What the system refused, of which file, and what can be done about it."""
    what = error.strerror or str(error)
    thing = f"{error.filename}: " if error.filename is not None else ""
    hint = next((hint for numbers, hint in _HINTS if error.errno in numbers), "")
    return f"{thing}{what[:1].lower()}{what[1:]}{hint and '; '}{hint}"


def print_json(document: Mapping[str, Any]) -> None:
    """The document on stdout, as schema 1: valid whatever it holds, and ASCII, so that nothing can move a cursor."""
    click.echo(json.dumps({"schema": 1, **valid(document)}, indent=2, ensure_ascii=True, allow_nan=False))


def _tell_bug(program: str, argv: Sequence[str], error: Exception) -> None:
    """What follows is a traceback: its last line says whose fault that is; programs get a document as for any error."""
    error.add_note(f"this is a bug of {program}, not yours")
    if _for_programs(argv):
        message = f"a bug of {program}: {type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            print_json({"error": {"kind": "bug", "message": message, "exit": EXIT_OPERATIONAL}})


def _report(program: str, argv: Sequence[str], failure: Failure) -> int:
    with contextlib.suppress(OSError):  # a full or closed stderr changes neither the document nor the exit code
        click.echo(f"{program}: {plain_lines(failure.message)}", err=True)
    try:
        if _for_programs(argv):
            error = {"kind": failure.kind, "message": failure.message, "exit": failure.exit_code, **failure.details}
            print_json({"error": error})
        _flush(sys.stdout)
    except OSError:
        _discard(sys.stdout)  # stdout is what failed; stderr has the message already
    _settle_stderr()
    return failure.exit_code


def _streams_are_open(program: str) -> bool:
    """Whether there is a stdout to print to. A closed stderr is replaced: it carries nothing that was asked for.

    A closed descriptor 0, 1 or 2 is given to /dev/null, or the next file opened would get its number and be written to.
    """
    stdout_open = sys.stdout is not None
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest free number
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  open for as long as the process is
    if not stdout_open:
        click.echo(f"{program}: stdout is closed: there is nowhere to print to", err=True)
    return stdout_open


def _settle_stderr() -> None:
    """What cannot be said on stderr is dropped, or Python would exit with 120 when it shuts down."""
    try:
        _flush(sys.stderr)
    except OSError:
        _discard(sys.stderr)


def _flush(stream: TextIO | None) -> None:
    if stream is None:  # the descriptor was closed when we started
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    stream.flush()


def _discard(stream: TextIO | None) -> None:
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _with_usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return error.format_message()
    return f"{error.format_message()}\n{context.get_usage()}\nTry '{context.command_path} --help'."


def _for_programs(argv: Sequence[str]) -> bool:
    """Whether the command line asks for a form for programs, also when it is too wrong for click to have parsed it."""
    value = ""
    for word, following in pairwise([*argv, ""]):
        if word in ("--output", "-o"):
            value = following
        elif word.startswith("--output="):
            value = word.partition("=")[2]
        elif word.startswith("-o"):
            value = word[2:]
    return value not in ("", "table")

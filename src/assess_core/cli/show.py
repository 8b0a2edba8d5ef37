"""How commands print: sentences on stderr while somebody watches, tables on stdout."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import click

from assess_core.assessing.values import Event, Reached
from assess_core.host import Progress
from assess_registry.client import plain


def say(*, quiet: bool) -> Callable[[str], None]:
    """A function that tells the person at the terminal what is being done; silent where there is none."""
    if quiet or not sys.stderr.isatty():
        return lambda _sentence: None
    return lambda sentence: click.echo(f"  {plain(sentence)} …", err=True)


def colour_wanted() -> bool:
    """Colour only on a terminal, and never where NO_COLOR is set (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def width_wanted() -> int:
    """Columns of the terminal that stdout is; 80 where it is none, so that files look the same everywhere."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80


class ProgressLine:
    """One line on a terminal's stderr that says how far the run has come, and vanishes; nothing elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._shown = sys.stderr.isatty() and not quiet
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write("")

    def __call__(self, assessment: str, event: Event) -> None:
        """Show one event of one assessment."""
        if isinstance(event, Reached):
            elapsed = round(time.monotonic() - self._since)
            self._write(f"  {assessment}: {event}, {elapsed} s"[:79])
        elif isinstance(event, Progress):
            self._write(f"  {assessment}: {event.done}/{event.total} {plain(event.note)}"[:79])
        elif event.level in ("warning", "error"):
            self._write("")
            click.echo(f"{assessment}: {event.level}: {plain(event.message)}", err=True)

    def _write(self, line: str) -> None:
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

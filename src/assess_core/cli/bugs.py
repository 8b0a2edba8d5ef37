"""What no layer explains is a bug of ours: it is written down beside the state it happened on, and stays loud."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import click

from assess_core.cli.failure import explain
from assess_core.observe.crash import CRASHES, Crashes


def versions() -> dict[str, str]:
    """What a report says about the program."""
    return {
        "assess": version("assess-runtime"),
        "plugin api": version("assess-plugin"),
        "libc": " ".join(platform.libc_ver()),
    }


@contextmanager
def bugs_reported(state: Path) -> Iterator[None]:
    """An error of the block that is a bug gets a report, and a note that says where it is."""
    try:
        yield
    except click.ClickException:
        raise
    except Exception as error:
        if explain(error) is None:
            report = Crashes(state / CRASHES, about=versions()).report(error)
            if report is not None:
                error.add_note(f"{report} says what happened: please attach it to a report of this bug")
        raise

"""Options that several verbs share, and the values they make."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from assess_core.cli.bugs import bugs_reported
from assess_core.config import Config, config_path, load
from assess_core.place import state_directory
from assess_core.runtime import Runtime
from assess_registry.client import Severity

DEFAULT_FAIL_ON: Severity = "low"
"""From which severity on a failed check makes a run exit 3, unless --fail-on says otherwise."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def common(command: Decorated) -> Decorated:
    """Add --config and --state-dir."""
    for option in (
        click.option(
            "--state-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="Where plugins, results and trust are kept. [env: ASSESS_STATE_DIR]",
        ),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            help="Configuration file; assess.toml here if not given. [env: ASSESS_CONFIG]",
        ),
    ):
        command = option(command)
    return command


quiet_option = click.option("--quiet", "-q", is_flag=True, help="Say nothing that is not data or an error.")


def output_option(*formats: str) -> Callable[[Decorated], Decorated]:
    """Add --output with these formats, the first being the default; an error honours the choice, too."""
    return click.option(
        "--output",
        "-o",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Form of what is printed on stdout.",
    )


def load_config(path: Path | None) -> Config:
    """The configuration: flag, then ASSESS_CONFIG, then assess.toml here."""
    return load(config_path(path, os.environ))


@contextmanager
def open_runtime(config_file: Path | None, state_dir: Path | None) -> Iterator[Runtime]:
    """A runtime on the configured state directory; what turns out to be a bug of ours is written down there."""
    config = load_config(config_file)
    state = state_directory(state_dir, os.environ, config)
    with bugs_reported(state), Runtime(config, state=state) as runtime:
        yield runtime

"""`assess up`: carry out assessments when they are due, until it is stopped."""

import asyncio
import os
import sys
from pathlib import Path

import click

from assess_core.cli.bugs import versions
from assess_core.cli.options import common
from assess_core.config import Config, ObserveConfig, config_path
from assess_core.config.values import MAX_TIMEOUT_S
from assess_core.errors import ConfigError
from assess_core.observe.crash import CRASHES, Crashes
from assess_core.observe.lines import Style
from assess_core.observe.log import Level, log_to, style_of
from assess_core.place import state_directory
from assess_core.up.last_good import Source
from assess_core.up.lock import only_one
from assess_core.up.notify import Notify
from assess_core.up.service import Options, Service
from assess_registry.client import TrustError
from assess_registry.console import FiniteRange


@click.command(name="up")
@click.option("--now", is_flag=True, help="Everything is due once when it starts, too.")
@click.option(
    "--last-good",
    is_flag=True,
    help="Start with the configuration that was followed last if the file has a mistake.",
)
@click.option("--log", type=click.Choice(["text", "json"]), help="Form of the log on stderr; observe.log if not given.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="What is less than this is not told; observe.log_level if not given.",
)
@click.option(
    "--stop-within",
    type=FiniteRange(0, MAX_TIMEOUT_S),
    metavar="SECONDS",
    help="How long runs may go on when it is stopped; runtime.stop_within_s if not given.",
)
@common
def command(  # noqa: PLR0917  one argument an option
    now: bool,
    last_good: bool,
    log: str | None,
    log_level: str | None,
    stop_within: float | None,
    config: Path | None,
    state_dir: Path | None,
) -> int:
    """Stay up: assess when it is due, follow what changes, commit every result.

    Configuration, plugins and the registry's word are followed while it runs; a mistake in the configuration leaves
    what runs as it is. SIGTERM and Ctrl-C stop it when what runs has ended, a second one at once; SIGHUP looks at
    everything again; SIGUSR1 has it say how it stands. Exit codes: 0 stopped by SIGTERM, 130 by Ctrl-C, 1 it could
    not go on, 2 the configuration has a mistake, 5 what is configured was refused, 6 the journal is damaged.
    """
    os.umask(0o077)
    tell = Notify(os.environ)  # before anything is started that would inherit it
    path = config_path(config, os.environ).absolute()
    known = _known(path, state_dir, last_good=last_good)
    state = state_directory(state_dir, os.environ, known)
    observe = known.observe if known is not None else ObserveConfig()

    def style_for(form: str) -> Style:
        return style_of("json" if (log or form) == "json" else "text", sys.stderr, os.environ)

    options = Options(now=now, last_good=last_good, stop_within_s=stop_within)
    level = _level(log_level or observe.log_level)
    with log_to(sys.stderr, style=style_for(observe.log), level=level) as told, only_one(state):

        def follow(now: ObserveConfig) -> None:
            told.follow(style=style_for(now.log), level=_level(log_level or now.log_level))

        crashes = Crashes(state / CRASHES, recent=told.recent, about=versions())
        service = Service(
            Source(path, state),
            state,
            tell=tell,
            crashes=crashes,
            build={"version": versions()["assess"]},
            options=options,
            tell_observed=follow,
        )
        with crashes.caught():
            return asyncio.run(service.run())


def _known(path: Path, state_dir: Path | None, *, last_good: bool) -> Config | None:
    """The configuration, for what has to be known before anything is begun; None when another one will stand in.

    Raises:
        ConfigError, TrustError: it is none, and nothing may stand in.
    """
    from assess_core.config import load

    try:
        return load(path)
    except (ConfigError, TrustError):
        if not last_good or (state_dir is None and "ASSESS_STATE_DIR" not in os.environ):
            raise
        state = state_directory(state_dir, os.environ, None)
        return Source(path, state).last_good()


def _level(name: str) -> Level:
    return next((level for level in ("debug", "info", "warning", "error") if level == name), "info")

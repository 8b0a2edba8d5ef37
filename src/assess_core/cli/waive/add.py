"""`assess waive add`: somebody answers for a failure, in the configuration, until a day."""

import os
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import click

from assess_core.cli.options import common, output_option
from assess_core.cli.waive.facts import unknown_checks, unknown_subject, waiver_facts
from assess_core.clock import utc_now
from assess_core.config import config_path, rewrite, with_waiver
from assess_core.errors import ConfigError
from assess_core.results.waivers import Waiver, expiry_problem
from assess_registry.client import plain
from assess_registry.console import print_json


@click.command(name="add")
@click.option("--check", required=True, metavar="ID", help="The check, exactly.")
@click.option("--subject", required=True, metavar="ID", help="The subject, exactly as results name it.")
@click.option("--owner", required=True, metavar="TEXT", help="Who answers for it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why it is left as it is.")
@click.option("--expires", required=True, metavar="DATE", help="The last day, in UTC: 2027-03-31.")
@output_option("table", "json")
@common
def command(  # noqa: PLR0917  one argument an option
    check: str,
    subject: str,
    owner: str,
    reason: str,
    expires: str,
    output: str,
    config: Path | None,
    state_dir: Path | None,
) -> None:
    """Answer for a failure that is known, until a day. It stays a failure, and is shown with who answers for it."""
    now = utc_now()
    day = _day(expires)
    if problem := expiry_problem(day, now):
        raise ConfigError(f"--expires: {problem}")
    if subject != subject.strip():
        raise ConfigError(f"--subject: it begins or ends with a blank; results name it {plain(subject)!r}")
    waiver = Waiver(check=check, subject=subject, owner=owner, reason=reason, expires=day)
    path = config_path(config, os.environ)
    after = rewrite(path, partial(with_waiver, waiver=waiver))
    for sentence in (*unknown_checks([check], config, state_dir), *unknown_subject(subject, config, state_dir)):
        click.echo(f"warning: {plain(sentence)}", err=True)
    if output == "json":
        print_json({"waiver": waiver_facts(after, now)[-1]})
    else:
        click.echo(f"{plain(check)} on {plain(subject)} is waived until {day}; it stays a failure, and exits as one")


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise ConfigError(f"--expires: expected a date as 2027-03-31, got {plain(text)!r}") from error

"""`assess results list`: earlier runs, from what the journal knows of each without reading its results."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.cli.results.asked import require_known
from assess_core.cli.tables import show_table
from assess_core.clock import timestamp
from assess_core.errors import ConfigError
from assess_core.formats.json_document import narrowed_document
from assess_core.journal import Listed
from assess_core.results import ResultOutcome
from assess_registry.client import plain
from assess_registry.console import print_json


@click.command(name="list")
@click.option("--assessment", metavar="ID", help="Only runs of this assessment.")
@click.option(
    "--since", metavar="TIME", help="Only runs that ended since; a date or a time (ISO 8601), UTC unless said."
)
@click.option("--incomplete", is_flag=True, help="Only runs that were incomplete.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most this many.")
@output_option("table", "json")
@common
def command(
    *,
    assessment: str | None,
    since: str | None,
    limit: int,
    output: str,
    config: Path | None,
    state_dir: Path | None,
    incomplete: bool,
) -> None:
    """List earlier runs, newest first."""
    ended_since = _time(since) if since is not None else None
    with open_runtime(config, state_dir) as runtime:
        listed = runtime.journal.listed(
            limit=limit, assessment=assessment, ended_since=ended_since, incomplete=incomplete
        )
        if assessment is not None and not listed:
            known = {each.id for each in runtime.config.assessments} | set(runtime.journal.latest())
            require_known(assessment, known)
    if output == "json":
        print_json({"runs": [_document(each) for each in listed]})
        return
    rows = [_row(each) for each in listed]
    anything = assessment is None and since is None and not incomplete
    none = "no run is recorded here yet; `assess run` makes the first" if anything else "no recorded run matches"
    show_table(("RUN", "STARTED", "ASSESSMENT", "FOUND", "NOTE"), rows, none=none)


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"--since: expected a date or a time such as 2026-11-21T05:10, got {plain(text)!r}"
        ) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _document(listed: Listed) -> dict[str, object]:
    run = listed.run
    return {
        "run_id": run.run_id,
        "assessment": run.assessment,
        "due_at": timestamp(run.due_at),
        "started_at": timestamp(run.started_at),
        "ended_at": timestamp(run.ended_at),
        "subjects": run.subjects,
        "problem": run.problem,
        "complete": listed.complete,
        "narrowed": narrowed_document(run.narrowed),
        "counts": {outcome.value: listed.counts.get(outcome.value, 0) for outcome in ResultOutcome},
    }


def _row(listed: Listed) -> Sequence[str]:
    found = ", ".join(f"{listed.counts[outcome]} {outcome}" for outcome in ResultOutcome if outcome in listed.counts)
    run = listed.run
    narrowed = f"narrowed to {run.narrowed}" if run.narrowed else ""
    said = "; ".join(filter(None, (run.problem, narrowed)))
    return run.run_id, timestamp(run.started_at), run.assessment, found, said

"""`assess results`: what earlier runs found, from the journal."""

from collections.abc import Sequence
from pathlib import Path

import click

from assess_core.cli.options import DEFAULT_FAIL_ON, common, open_runtime, output_option
from assess_core.cli.show import colour_wanted, width_wanted
from assess_core.errors import ConfigError
from assess_core.formats import FORMATS, render
from assess_core.results import AssessmentRun, ResultOutcome, Run, timestamp
from assess_core.runtime import Runtime
from assess_registry.client import plain, table
from assess_registry.console import print_json


@click.group(name="results")
def command() -> None:
    """What earlier runs found."""


@command.command(name="list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most this many.")
@output_option("table", "json")
@common
def list_(limit: int, output: str, config: Path | None, state_dir: Path | None) -> None:
    """List earlier runs, newest first."""
    with open_runtime(config, state_dir) as runtime:
        runs = [(run, _counts(runtime, run)) for run in runtime.journal.runs(limit)]
    if output == "json":
        documents = [_document(run, counts) for run, counts in runs]
        print_json({"runs": documents})
        return
    rows = [_row(run, counts) for run, counts in runs]
    click.echo(table(("RUN", "STARTED", "ASSESSMENT", "FOUND", "PROBLEM"), rows), nl=False)


@command.command()
@click.argument("run_id")
@output_option(*FORMATS)
@common
def show(run_id: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Print the results of one earlier run again. RUN_ID may be shortened while it stays unique."""
    with open_runtime(config, state_dir) as runtime:
        found = runtime.journal.find(run_id) if run_id else ()
        if len(found) != 1:
            amount = "no run begins" if not found else "several runs begin"
            raise ConfigError(f"{amount} with {plain(run_id)!r}; `assess results list` shows their ids")
        results = runtime.journal.results(found[0].run_id)
        run = Run(
            # What the results say: the runtime may have been renamed since.
            runtime=results[0].runtime if results else runtime.config.runtime.id,
            started_at=found[0].started_at,
            ended_at=found[0].ended_at,
            assessments=found,
            results=results,
        )
    click.echo(render(output, run, fail_on=DEFAULT_FAIL_ON, colour=colour_wanted(), width=width_wanted()), nl=False)


def _counts(runtime: Runtime, run: AssessmentRun) -> dict[str, int]:
    outcomes = [result.outcome for result in runtime.journal.results(run.run_id)]
    return {outcome.value: outcomes.count(outcome) for outcome in ResultOutcome}


def _document(run: AssessmentRun, counts: dict[str, int]) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "assessment": run.assessment,
        "started_at": timestamp(run.started_at),
        "subjects": run.subjects,
        "problem": run.problem,
        "counts": counts,
    }


def _row(run: AssessmentRun, counts: dict[str, int]) -> Sequence[str]:
    found = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    return run.run_id, timestamp(run.started_at), run.assessment, found, run.problem or ""

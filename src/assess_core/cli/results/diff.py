"""`assess results diff`: what is new since the run before, what is resolved, and what nobody knows."""

from collections.abc import Sequence
from pathlib import Path

import click

from assess_core.cli.options import DEFAULT_FAIL_ON, common, open_runtime, output_option
from assess_core.cli.results.asked import again, named
from assess_core.clock import timestamp
from assess_core.errors import ConfigError
from assess_core.formats.json_document import valid
from assess_core.results import SCHEMA, SEVERITIES, AssessmentRun, Run, Severity
from assess_core.results.diff import Change, Changed, Diff, compare, exit_code
from assess_core.runtime import Runtime
from assess_registry.client import plain, table
from assess_registry.console import print_json

_NONE = "none"


@click.command(name="diff")
@click.argument("runs", metavar="[OLDER] [NEWER]", nargs=-1)
@click.option(
    "--fail-on",
    type=click.Choice([*SEVERITIES, _NONE]),
    default=DEFAULT_FAIL_ON,
    show_default=True,
    help="Exit 3 for what is new from this severity on.",
)
@output_option("table", "json")
@common
def command(runs: Sequence[str], fail_on: str, output: str, config: Path | None, state_dir: Path | None) -> int:
    """Compare the newest run of each assessment with its complete run before; or one run with the one before; or two.

    Exits 0 if nothing new fails, 3 if something does, 4 if a newer run is incomplete.
    """
    severity: Severity | None = next((each for each in SEVERITIES if each == fail_on), None)
    with open_runtime(config, state_dir) as runtime:
        diffs = _diffs(runtime, runs)
    code = exit_code(diffs, severity)
    if output == "json":
        print_json(valid({"schema": SCHEMA, "assessments": [_document(diff) for diff in diffs], "exit": code}))
    else:
        for diff in diffs:
            click.echo(_text(diff), nl=False)
    return code


def _diffs(runtime: Runtime, runs: Sequence[str]) -> list[Diff]:
    match runs:
        case []:
            newest = list(runtime.journal.latest().values())
            if not newest:
                raise ConfigError("nothing was recorded yet; `assess run` records")
            return [_since(runtime, run) for run in newest]
        case [newer]:
            return [_since(runtime, named(runtime, newer))]
        case [older, newer]:
            then, now = named(runtime, older), named(runtime, newer)
            if then.assessment != now.assessment:
                raise ConfigError(f"these are runs of two assessments, {then.assessment} and {now.assessment}")
            return [compare(again(runtime, now), again(runtime, then))]
        case _:
            raise ConfigError(f"expected at most two runs, got {len(runs)}")


def _since(runtime: Runtime, newer: AssessmentRun) -> Diff:
    older = runtime.journal.complete_before(newer)
    return compare(again(runtime, newer), again(runtime, older) if older is not None else None)


def _text(diff: Diff) -> str:
    (newer,) = diff.newer.assessments
    with_what = f"since {timestamp(diff.older.started_at)}" if diff.older else "no complete run before it"
    counts = ", ".join(f"{len(diff.of(change))} {change}" for change in Change)
    lines = [f"{plain(newer.assessment)}: {timestamp(newer.started_at)}, {with_what}: {counts}"]
    lines += [f"incomplete: {plain(sentence)}" for sentence in diff.shortcomings]
    rows = [_row(each) for each in diff.changes if each.change is not Change.UNCHANGED]
    return "\n".join(lines) + "\n" + table(("CHANGE", "SEVERITY", "SUBJECT", "CHECK", "WHY"), rows)


def _row(each: Changed) -> Sequence[str]:
    result = each.result
    return each.change.upper(), result.severity, result.subject.id, result.check, each.why


def _document(diff: Diff) -> dict[str, object]:
    (newer,) = diff.newer.assessments
    return {
        "assessment": newer.assessment,
        "newer": _run(diff.newer),
        "older": _run(diff.older) if diff.older else None,
        "incomplete": list(diff.shortcomings),
        **{change.value: [_changed(each) for each in diff.of(change)] for change in Change},
    }


def _run(run: Run) -> dict[str, object]:
    (one,) = run.assessments
    return {"run_id": one.run_id, "started_at": timestamp(one.started_at), "ended_at": timestamp(one.ended_at)}


def _changed(each: Changed) -> dict[str, object]:
    result = each.result
    return {
        "finding_id": result.finding_id,
        "subject": result.subject.id,
        "check": result.check,
        "title": result.title,
        "severity": result.severity,
        "before": each.before.value if each.before else None,
        "now": each.now.value if each.now else None,
        "why": each.why,
        "waived": result.waiver is not None,
    }

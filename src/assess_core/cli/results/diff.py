"""`assess results diff`: what is new since the run before, what is resolved, and what nobody knows."""

from collections.abc import Sequence
from pathlib import Path

import click

from assess_core.cli.options import DEFAULT_FAIL_ON, common, open_runtime, output_option
from assess_core.cli.results.asked import again, named, require_known
from assess_core.clock import timestamp
from assess_core.errors import ConfigError
from assess_core.formats.json_document import narrowed_document
from assess_core.formats.sentences import narrowed_lines
from assess_core.results import SEVERITIES, AssessmentRun, Run, Severity
from assess_core.results.diff import Change, Changed, Diff, compare, exit_code
from assess_core.runtime import Runtime
from assess_registry.client import plain, table
from assess_registry.console import print_json

_NONE = "none"


@click.command(name="diff")
@click.argument("runs", metavar="[OLDER] [NEWER]", nargs=-1)
@click.option("--assessment", metavar="ID", help="The newest whole run of this assessment.")
@click.option(
    "--fail-on",
    type=click.Choice([*SEVERITIES, _NONE]),
    default=DEFAULT_FAIL_ON,
    show_default=True,
    help="Exit 3 for what is new from this severity on.",
)
@output_option("table", "json")
@common
def command(
    *,
    runs: Sequence[str],
    assessment: str | None,
    fail_on: str,
    output: str,
    config: Path | None,
    state_dir: Path | None,
) -> int:
    """Compare the newest run of each assessment with its complete run before; or one run with the one before; or two.

    Without arguments, of each assessment that is configured and enabled, and whole runs alone. Exits 0 if nothing new
    fails, 3 if something does, 4 if a newer run is incomplete.
    """
    if runs and assessment is not None:
        raise ConfigError("--assessment: runs are named already; leave one of the two out")
    severity: Severity | None = next((each for each in SEVERITIES if each == fail_on), None)
    with open_runtime(config, state_dir) as runtime:
        diffs, unrecorded = (_diffs(runtime, runs), []) if runs else _of_the_newest(runtime, assessment)
    code = exit_code(diffs, severity)
    if output == "json":
        documents = [_document(diff) for diff in diffs]
        print_json({"assessments": documents, "unrecorded": unrecorded, "exit": code})
    else:
        for diff in diffs:
            click.echo(_text(diff), nl=False)
    return code


def _of_the_newest(runtime: Runtime, assessment: str | None) -> tuple[list[Diff], list[str]]:
    """The newest whole run of each assessment that is configured and enabled, or of this one; and those without a run.

    What was narrowed since did not ask for the rest: it would turn what failed there into what nobody knows, and an
    exit code 3 into 0. It stands in only where there is no whole one.

    Raises:
        ConfigError: there is no run of any of them, or no such assessment.
    """
    newest = runtime.journal.latest()
    wanted = [each.id for each in runtime.config.assessments if each.enabled]
    if assessment is not None:
        require_known(assessment, {each.id for each in runtime.config.assessments} | set(newest))
        wanted = [assessment]
    found = [newest[name] for name in wanted if name in newest]
    if not found:
        raise ConfigError(f"no run of {', '.join(map(plain, wanted)) or 'any assessment'} was recorded yet")
    unrecorded = [name for name in wanted if name not in newest]
    for name in unrecorded:
        click.echo(f"{plain(name)}: no run of it was recorded yet", err=True)
    return [_since(runtime, _whole(runtime, run)) for run in found], unrecorded


def _whole(runtime: Runtime, newest: AssessmentRun) -> AssessmentRun:
    if newest.narrowed is None:
        return newest
    whole = runtime.journal.latest_whole(newest.assessment)
    if whole is None:
        return newest
    click.echo(
        f"{plain(newest.assessment)}: its newest run was narrowed and is left out; "
        f"`assess results diff {newest.run_id}` compares it",
        err=True,
    )
    return whole


def _diffs(runtime: Runtime, runs: Sequence[str]) -> list[Diff]:
    match [named(runtime, prefix) for prefix in runs[:3]]:
        case [newer]:
            return [_since(runtime, newer)]
        case [older, newer]:
            _require_in_order(runtime, older, newer)
            return [compare(again(runtime, newer), again(runtime, older))]
        case _:
            raise ConfigError(f"expected at most two runs, got {len(runs)}")


def _require_in_order(runtime: Runtime, older: AssessmentRun, newer: AssessmentRun) -> None:
    """The second was recorded after the first: the other way round, what is resolved would be new.

    Raises:
        ConfigError: it was not, or is of another assessment.
    """
    if older.assessment != newer.assessment:
        raise ConfigError(f"these are runs of two assessments, {older.assessment} and {newer.assessment}")
    if not runtime.journal.is_before(older.run_id, newer.run_id):
        one_run = older.run_id == newer.run_id
        what = "both are the same run" if one_run else f"{plain(newer.run_id)} is the older one of the two"
        raise ConfigError(f"{what}: expected OLDER, then NEWER")


def _since(runtime: Runtime, newer: AssessmentRun) -> Diff:
    older = runtime.journal.complete_before(newer)
    return compare(again(runtime, newer), again(runtime, older) if older is not None else None)


def _text(diff: Diff) -> str:
    (newer,) = diff.newer.assessments
    with_what = f"since {timestamp(diff.older.started_at)}" if diff.older else "no complete run before it"
    counts = ", ".join(f"{len(diff.of(change))} {change}" for change in Change)
    lines = [f"{plain(newer.assessment)}: {timestamp(newer.started_at)}, {with_what}: {counts}"]
    lines += [f"incomplete: {plain(sentence)}" for sentence in diff.shortcomings]
    lines += [f"narrowed: {line}" for line in narrowed_lines(diff.newer)]
    lines += [f"compared with what was narrowed: {line}" for line in narrowed_lines(diff.older)] if diff.older else []
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
    return {
        "run_id": one.run_id,
        "started_at": timestamp(one.started_at),
        "ended_at": timestamp(one.ended_at),
        "narrowed": narrowed_document(one.narrowed),
    }


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

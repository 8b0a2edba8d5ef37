"""`assess run`: the whole pipeline once, and a report."""

import os
from pathlib import Path

import click

from assess_core.assessing.plan import Selection, Task, not_to_be_done
from assess_core.cli.options import (
    DEFAULT_FAIL_ON,
    common,
    load_config,
    open_runtime,
    output_option,
    quiet_option,
)
from assess_core.cli.show import ProgressLine, colour_wanted, say, width_wanted
from assess_core.cli.tell import tell
from assess_core.clock import utc_now
from assess_core.config import Config, config_path
from assess_core.delivery.values import Action
from assess_core.errors import ConfigError, StoreError
from assess_core.formats import FORMATS, render
from assess_core.journal import Journal
from assess_core.place import state_directory, user_name
from assess_core.results import Run, run_id
from assess_core.schedule import Asked
from assess_core.up.lock import who_is_up
from assess_registry.client import SEVERITIES, Severity, TrustError, atomic_write, table
from assess_registry.console import print_json


def _reports(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[Path, str]:
    """`FORMAT=FILE` each."""
    reports: dict[Path, str] = {}
    for value in values:
        form, _, name = value.partition("=")
        if form not in FORMATS or not name:
            raise click.BadParameter(f"{value!r} is not FORMAT=FILE with a format of {', '.join(FORMATS)}")
        path = Path(name)
        if any(path.resolve() == other.resolve() for other in reports):
            raise click.BadParameter(f"{value!r}: two reports would be this one file; name another one")
        reports[path] = form
    return reports


@click.command(name="run")
@click.option("--check", "checks", multiple=True, metavar="GLOB", help="Only checks whose id matches; repeatable.")
@click.option("--subject", "subjects", multiple=True, metavar="ID", help="Only this subject; repeatable.")
@click.option("--assessment", "assessments", multiple=True, metavar="ID", help="Only this assessment; repeatable.")
@click.option("--queued", is_flag=True, help="Let the `assess up` of this state directory do it, and do not wait.")
@click.option("--list-checks", is_flag=True, help="List the checks that would run, and stop.")
@click.option(
    "--fail-on",
    type=click.Choice([*SEVERITIES, "none"]),
    default=DEFAULT_FAIL_ON,
    show_default=True,
    help="Exit 3 when a check of at least this severity fails.",
)
@click.option(
    "--report", "reports", multiple=True, metavar="FORMAT=FILE", callback=_reports, help="Also write this; repeatable."
)
@click.option("--offline", is_flag=True, help="Use what is installed; do not ask the registry.")
@output_option(*FORMATS)
@quiet_option
@common
def command(  # noqa: PLR0917  one argument an option
    checks: tuple[str, ...],
    subjects: tuple[str, ...],
    assessments: tuple[str, ...],
    queued: bool,
    list_checks: bool,
    fail_on: str,
    reports: dict[Path, str],
    offline: bool,
    output: str,
    config: Path | None,
    state_dir: Path | None,
    quiet: bool,
) -> int:
    """Bring plugins up to date, assess, commit the results, and print them."""
    if queued:
        _require_alone(checks=checks, subjects=subjects, list_checks=list_checks, reports=reports, offline=offline)
        return _queue(load_config(config), state_dir, assessments, output)
    threshold = _severity(fail_on)
    for path in reports:
        _require_writable(path)
        _require_replaceable(path, config, state_dir)
    with open_runtime(config, state_dir) as runtime:
        synced = runtime.sync(notify=say(quiet=quiet), offline=offline)
        for line in synced:
            if line.refusal is not None and line.action is Action.REFUSED:
                raise _refused(line.refusal)
            tell(line, quiet=quiet)
        tasks = runtime.plan(synced, Selection(checks=checks, subjects=subjects, assessments=assessments))
        if list_checks:
            _list_checks([task for task in tasks if isinstance(task, Task)], output)
            return 0
        with ProgressLine(quiet=quiet) as progress:
            run = runtime.assess(tasks, synced=synced, notify=progress)
    click.echo(render(output, run, fail_on=threshold, colour=colour_wanted(), width=width_wanted()), nl=False)
    for path, form in reports.items():
        atomic_write(path, render(form, run, fail_on=threshold, colour=False).encode())
    if not quiet:
        _say_what_was_done(run, reports, threshold)
    return run.exit_code(threshold)


def _require_alone(**others: object) -> None:
    given = [f"--{name.replace('_', '-').removesuffix('s')}" for name, value in others.items() if value]
    if given:
        left_out = ", ".join(given)
        raise click.UsageError(f"--queued asks for whole assessments, as they are configured: leave out {left_out}")


def _queue(config: Config, state_dir: Path | None, assessments: tuple[str, ...], output: str) -> int:
    """These, or all, are due now; who is up begins them within a second.

    Raises:
        ConfigError: there is no such assessment, or it is not enabled.
        StoreError: nobody is up.
    """
    if output not in ("table", "json"):
        raise click.UsageError(f"--queued has no results to print as {output}: choose table or json")
    if problems := not_to_be_done(config, assessments):
        raise ConfigError(*problems)
    names = assessments or tuple(each.id for each in config.assessments if each.enabled)
    state, at = state_directory(state_dir, os.environ, config), utc_now()
    if not who_is_up(state):
        raise StoreError(f"no assess up runs on {state}, which would do it: start one, or leave out --queued")
    asked = [
        Asked(run_id=run_id(config.runtime.id, name, at), assessment=name, at=at, by=user_name())
        for name in dict.fromkeys(names)
    ]
    with Journal.open(state / "journal.db") as journal:
        done = journal.ask(asked)
    if output == "json":
        print_json({"runs": [{"run_id": each.run_id, "assessment": each.assessment} for each in done]})
    else:
        click.echo(table(("RUN", "ASSESSMENT"), [(each.run_id, each.assessment) for each in done]), nl=False)
    return 0


def _require_writable(path: Path) -> None:
    """Say so before anything is assessed, not after, when a report cannot be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--report: {path.parent} cannot be made: {error.strerror}; name another file") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(f"--report: {path} cannot be written by this user; name another file")


def _require_replaceable(path: Path, config: Path | None, state_dir: Path | None) -> None:
    """A report takes the place of what is there: of an older one it may, of what assess or the system needs it may not.

    Raises:
        ConfigError: something else lies there; nothing was touched.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"--report: {path} is no ordinary file, and a report would take its place; name another file")
    ours = config_path(config, os.environ)
    if path.exists() and ours.exists() and path.samefile(ours):
        raise ConfigError(f"--report: {path} is the configuration; name another file")
    state = state_directory(state_dir, os.environ, load_config(config))
    if path.resolve().is_relative_to(state.resolve()):
        raise ConfigError(f"--report: {path} lies in the state directory, which is assess's own; name another file")


def _severity(fail_on: str) -> Severity | None:
    return next((severity for severity in SEVERITIES if severity == fail_on), None)


def _refused(refusal: TrustError) -> TrustError:
    """The same refusal; `run` stops at it even if an older version is installed, and says how to go on without."""
    if not refusal.next_step:
        refusal.next_step = "find out why; `assess run --offline` assesses with what was verified before"
    return refusal


def _list_checks(tasks: list[Task], output: str) -> None:
    checks = [
        {"assessment": task.assessment, "id": spec.id, "severity": spec.severity, "title": spec.title}
        for task in tasks
        for spec in task.checks
    ]
    if not checks:
        raise ConfigError("no assessment can run; `assess sync` says why")
    if output == "json":
        print_json({"checks": checks})
    elif output == "table":
        click.echo(
            table(("ASSESSMENT", "CHECK", "SEVERITY", "TITLE"), [tuple(row.values()) for row in checks]), nl=False
        )
    else:
        raise click.UsageError(f"--list-checks has no results to print as {output}: choose table or json")


def _say_what_was_done(run: Run, reports: dict[Path, str], threshold: Severity | None) -> None:
    for path, form in reports.items():
        click.echo(f"wrote {form} to {path}", err=True)
    if any(result.registry == "development" for result in run.results):
        click.echo("development registry: one person holds all its keys, and every result says so", err=True)
    usual = run.exit_code(DEFAULT_FAIL_ON)
    if usual != run.exit_code(threshold):
        click.echo(f"there are findings; without --fail-on {threshold or 'none'} this exits {usual}", err=True)

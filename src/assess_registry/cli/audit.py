"""`assess-registry audit WHEEL_OR_DIR`."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click
from click.core import ParameterSource

from assess_registry.audit.advisories import DATABASE_NAME
from assess_registry.audit.dry_run import Compared, compare
from assess_registry.audit.pipeline import Terms, audit
from assess_registry.audit.policy import policy_sha256
from assess_registry.audit.render import FORMS, Form, render
from assess_registry.audit.source import build_wheel
from assess_registry.audit.values import Report, Verdict
from assess_registry.cli.options import index_option
from assess_registry.cli.terms import implicit_index, terms_of
from assess_registry.console import EXIT_DONE, EXIT_FLAGGED, EXIT_REFUSED, print_json
from assess_registry.errors import ConfigError
from assess_registry.files import atomic_write, read_bounded
from assess_registry.publish import WheelFolder
from assess_registry.text import plain, table
from assess_registry.wheel import MAX_WHEEL_BYTES

EXITS = {Verdict.APPROVED: EXIT_DONE, Verdict.FLAGGED: EXIT_FLAGGED, Verdict.REJECTED: EXIT_REFUSED}

MAX_EVIDENCE_BYTES = 32 << 20


@click.command("audit")
@click.argument("wheel_or_dir", type=click.Path(path_type=Path), required=False)
@click.option(
    "--closure", type=click.Path(path_type=Path), default=None, help="Directory with the wheels it depends on."
)
@click.option(
    "--evidence",
    "evidence_file",
    type=click.Path(path_type=Path),
    default=None,
    help="What `tox run --installpkg WHEEL --result-json FILE` wrote.",
)
@click.option(
    "--policy", "policy_file", type=click.Path(path_type=Path), default=None, help="Judge by [policy] of this file."
)
@index_option
@click.option(
    "--advisories",
    "advisories_file",
    type=click.Path(path_type=Path),
    default=None,
    help=f"OSV export, or a database of imported advisories. [default: {DATABASE_NAME} of the index]",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    default=None,
    help="Day for ages and expiries. [default: today, UTC]",
)
@click.option("--output", type=click.Choice(FORMS), default="table", show_default=True, help="Form of what is printed.")
@click.option("--report", "reports", multiple=True, metavar="FORM=FILE", help="Write the report there too; repeatable.")
@click.option(
    "--attachments",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Write what the checks made, the SBOM among it, into this directory.",
)
@click.option("--dry-run", is_flag=True, help="With --policy: say what it would make of all published wheels.")
@click.pass_context
def command(
    context: click.Context,
    *,
    wheel_or_dir: Path | None,
    closure: Path | None,
    evidence_file: Path | None,
    policy_file: Path | None,
    root: Path,
    advisories_file: Path | None,
    as_of: datetime | None,
    output: Form,
    reports: tuple[str, ...],
    attachments: Path | None,
    dry_run: bool,
) -> int:
    """Say whether WHEEL_OR_DIR would be published, and why not. Nothing of a wheel is run.

    A directory is a source tree: it is built first, by its own build backend, which is its author's code.

    Exits 0 when it is approved, 4 when it is flagged, 5 when it is rejected; --dry-run exits 0 whatever it finds.
    """
    targets = [_report_target(each) for each in reports]
    is_implicit = context.get_parameter_source("root") is ParameterSource.DEFAULT
    audited = [path for path in (wheel_or_dir, closure) if path is not None]
    index = implicit_index(root, audited=audited) if is_implicit else root
    today = datetime.now(UTC).date() if as_of is None else as_of.date()
    with terms_of(
        index, as_of=today, policy_file=policy_file, advisories_file=advisories_file, is_implicit=is_implicit
    ) as (terms, other):
        if dry_run:
            _require_dry_run((wheel_or_dir, closure, evidence_file, attachments), policy_file, output, reports)
            if index is None:
                raise ConfigError(f"{root}: no registry here, so there is nothing published to look at; see --index")
            _show_comparison(compare(index, terms, other), terms, other, output)
            return EXIT_DONE
        if wheel_or_dir is None:
            raise click.UsageError("Missing argument 'WHEEL_OR_DIR'.")
        report = _audit(wheel_or_dir, closure, evidence_file, other)
    for form, path in targets:
        atomic_write(path, render(form, report).encode())
    if attachments is not None:
        _write_attachments(report, attachments)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    click.echo(render(output, report, colour=colour, width=shutil.get_terminal_size().columns), nl=False)
    return EXITS[report.verdict]


def _audit(path: Path, closure: Path | None, evidence_file: Path | None, terms: Terms) -> Report:
    candidates: Mapping[str, bytes] | None = None if closure is None else WheelFolder(closure)
    evidence = None if evidence_file is None else _read(evidence_file, MAX_EVIDENCE_BYTES)
    if path.is_dir():
        with tempfile.TemporaryDirectory(prefix="assess-build-") as scratch:
            built = build_wheel(path, Path(scratch))
        return audit(built.data, built.filename, closure=candidates, terms=terms, evidence=evidence)
    return audit(_read(path, MAX_WHEEL_BYTES), path.name, closure=candidates, terms=terms, evidence=evidence)


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        return read_bounded(path, max_bytes)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _write_attachments(report: Report, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for examination in report.examinations:
        for name, data in sorted(examination.attachments.items()):
            # Two checks may make documents of one name, and neither is worth less.
            atomic_write(directory / f"{examination.check}-{name}", data)


def _report_target(text: str) -> tuple[Form, Path]:
    word, _, path = text.partition("=")
    form = next((form for form in FORMS if form == word), None)
    if form is None or not path:
        raise click.UsageError(f"--report: expected FORM=FILE with one of {', '.join(FORMS)}, got {text!r}")
    return form, Path(path)


def _require_dry_run(
    about_one: tuple[Path | None, ...], policy_file: Path | None, output: str, reports: tuple[str, ...]
) -> None:
    if any(about_one) or reports:
        raise click.UsageError(
            "--dry-run looks at all published wheels: leave out WHEEL_OR_DIR and all about a single wheel."
        )
    if policy_file is None:
        raise click.UsageError("--dry-run compares the registry's policy with another: name it with --policy FILE.")
    if output not in ("table", "json"):
        raise click.UsageError("--dry-run prints a table or json.")


def _show_comparison(compared: tuple[Compared, ...], current: Terms, other: Terms, output: str) -> None:
    if output == "json":
        print_json(
            {
                "dry_run": {
                    "as_of": other.as_of.isoformat(),
                    "current_policy": f"sha256:{policy_sha256(current.policy, current.publishers, current.targets)}",
                    "other_policy": f"sha256:{policy_sha256(other.policy, other.publishers, other.targets)}",
                    "differing": sum(each.differs for each in compared),
                    "wheels": [_comparison_document(each) for each in compared],
                }
            }
        )
        return
    rows = [
        (
            each.current.filename,
            each.current.verdict,
            each.other.verdict if each.differs else "the same",
            next(iter((each.other if each.differs else each.current).reasons), ""),
        )
        for each in compared
    ]
    click.echo(table(("WHEEL", "NOW", "THEN", "FIRST REASON"), rows), nl=False)
    differing = sum(each.differs for each in compared)
    click.echo(f"{differing} of {len(compared)} published wheels would have another verdict", err=True)


def _comparison_document(each: Compared) -> dict[str, object]:
    return {
        "filename": plain(each.current.filename),
        "project": each.current.project,
        "version": each.current.version,
        "sha256": each.current.sha256,
        "differs": each.differs,
        "current": {"verdict": each.current.verdict, "reasons": list(each.current.reasons)},
        "other": {"verdict": each.other.verdict, "reasons": list(each.other.reasons)},
    }

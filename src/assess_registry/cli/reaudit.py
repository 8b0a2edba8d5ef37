"""`assess-registry reaudit`: everything that is published, audited by what is known today."""

from datetime import UTC, datetime
from pathlib import Path

import click

from assess_registry.audit.render import render
from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.terms import terms_of
from assess_registry.console import EXIT_DONE, EXIT_FLAGGED, EXIT_OPERATIONAL, print_json
from assess_registry.files import atomic_write
from assess_registry.review.again import Again, audit_again
from assess_registry.text import plain, table


@click.command("reaudit")
@click.option(
    "--advisories",
    "advisories_file",
    type=click.Path(path_type=Path),
    default=None,
    help="OSV export, or a database of imported advisories. [default: that of the index]",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    default=None,
    help="Day for ages and expiries. [default: today, UTC]",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Write the report on each wheel that is newly affected into this directory, as SHA256.md and SHA256.json.",
)
@index_option
@output_option
def command(
    *, advisories_file: Path | None, as_of: datetime | None, reports: Path | None, root: Path, output: str
) -> int:
    """Audit everything that is published again, and say what is newly affected.

    Exits 4 when a release has findings that its published report does not have; else 1 when something could not be
    looked at; else 0.
    """
    today = datetime.now(UTC).date() if as_of is None else as_of.date()
    with terms_of(root, as_of=today, policy_file=None, advisories_file=advisories_file, is_implicit=False) as (
        terms,
        _,
    ):
        done = tuple(audit_again(root, terms))
    affected = tuple(each for each in done if each.is_affected)
    if reports is not None:
        reports.mkdir(parents=True, exist_ok=True)
        for each in affected:
            atomic_write(reports / f"{each.report.sha256}.md", render("markdown", each.report).encode())
            atomic_write(reports / f"{each.report.sha256}.json", render("json", each.report).encode())
    unseen = tuple(dict.fromkeys(reason for each in done for reason in each.unseen))
    for reason in unseen:
        click.echo(f"not looked at: {plain(reason)}", err=True)
    _show(done, affected, unseen, output)
    return EXIT_FLAGGED if affected else EXIT_OPERATIONAL if unseen else EXIT_DONE


def _show(done: tuple[Again, ...], affected: tuple[Again, ...], unseen: tuple[str, ...], output: str) -> None:
    if output == "json":
        print_json({"reaudit": {"audited": len(done), "affected": [_document(each) for each in affected],
                                "not_looked_at": list(unseen)}})  # fmt: skip
        return
    rows = [
        (each.report.filename, each.report.verdict, judged.finding.severity, judged.finding.id, judged.finding.message)
        for each in affected
        for judged in each.news
    ]
    # A dependency with native code has a wheel for each platform, and the same finding in each.
    click.echo(table(("WHEEL", "TODAY", "SEVERITY", "NEW FINDING", ""), dict.fromkeys(rows)), nl=False)
    click.echo(f"{len(affected)} of {len(done)} published wheels are newly affected", err=True)


def _document(each: Again) -> dict[str, object]:
    report = each.report
    return {
        "filename": plain(report.filename),
        "project": report.project,
        "version": report.version,
        "sha256": report.sha256,
        "verdict": report.verdict,
        "findings": [
            {
                "check": judged.check,
                "id": judged.finding.id,
                "severity": judged.finding.severity,
                "verdict": judged.verdict,
                "entry": judged.finding.entry,
                "message": judged.finding.message,
            }
            for judged in each.news
        ],
    }

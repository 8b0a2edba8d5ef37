"""`assess-registry advisories import FILE` and `advisories status`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from assess_registry.audit.advisories import DATABASE_NAME, MIN_ADVISORIES, AdvisoryDatabase, import_advisories
from assess_registry.cli.options import index_option, output_option
from assess_registry.config import load_config
from assess_registry.console import EXIT_DONE, EXIT_FLAGGED, VerbGroup, print_json
from assess_registry.files import file_lock
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.text import table


@click.group("advisories", cls=VerbGroup)
def command() -> None:
    """Keep the known vulnerabilities that audits look wheels up in, without a network."""


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@index_option
@output_option
def import_command(file: Path, root: Path, output: str) -> None:
    """Import FILE, an export of OSV (zip or JSON), in place of what was imported before.

    Exports for PyPI: https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip. When FILE is refused, what was
    imported before stays.
    """
    config = load_config(root)
    today = datetime.now(UTC).date()
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        database = import_advisories(file, root / DATABASE_NAME, imported_on=today)
    _show(database, output, max_age_days=config.policy.advisories_max_age_days)


@command.command("status")
@index_option
@output_option
def status(root: Path, output: str) -> int:
    """Say how many advisories there are and how old; exits 4 when audits are flagged for them: too old, or too few."""
    config = load_config(root)
    database = AdvisoryDatabase.load(root / DATABASE_NAME)
    fresh = _show(database, output, max_age_days=config.policy.advisories_max_age_days)
    return EXIT_DONE if fresh else EXIT_FLAGGED


def _show(database: AdvisoryDatabase, output: str, *, max_age_days: int) -> bool:
    age = database.age_days(datetime.now(UTC).date())
    fresh = age <= max_age_days
    whole = database.is_whole()
    if output == "json":
        print_json(
            {
                "advisories": {
                    "count": database.count,
                    "withdrawn": database.withdrawn,
                    "newest": database.newest.isoformat(),
                    "age_days": age,
                    "max_age_days": max_age_days,
                    "fresh": fresh,
                    "whole": whole,
                    "imported_on": database.imported_on.isoformat(),
                    "source_sha256": database.source_sha256,
                }
            }
        )
        return fresh and whole
    judged = "fresh enough" if fresh else "too old: every audit is flagged; import a newer export"
    completeness = "enough for a whole export" if whole else f"fewer than {MIN_ADVISORIES}: every audit is flagged"
    rows = [
        ("advisories", f"{database.count} ({database.withdrawn} withdrawn beside them): {completeness}"),
        ("newest", database.newest.date().isoformat()),
        ("age", f"{age} days of at most {max_age_days}: {judged}"),
        ("imported", database.imported_on.isoformat()),
        ("export", f"sha256:{database.source_sha256}"),
    ]
    click.echo(table(("ADVISORIES", ""), rows), nl=False)
    return fresh and whole

"""`assess results prune`: what is older than the configuration keeps goes, and the chain says so."""

from datetime import datetime
from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.clock import utc_now
from assess_core.errors import ConfigError
from assess_core.formats.sentences import number
from assess_core.journal import FORWARD
from assess_registry.console import print_json


@click.command(name="prune")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--trust-clock", is_flag=True, help="The clock is right, although nothing was done here for long.")
@output_option("table", "json")
@common
def command(output: str, config: Path | None, state_dir: Path | None, *, dry_run: bool, trust_clock: bool) -> None:
    """Remove runs that ended more than `results.keep_days` ago, and evidence that no run refers to.

    The newest run of each assessment and its newest complete and whole one stay however old they are.
    """
    with open_runtime(config, state_dir) as runtime:
        days = runtime.config.results.keep_days
        now = utc_now()
        if not dry_run and not trust_clock:
            _require_believable(now, runtime.journal.looked_at(or_ended=True))
        do = runtime.journal.would_remove if dry_run else runtime.journal.retain
        removed = do(keep_days=days, now=now)
    if output == "json":
        print_json(
            {
                "dry_run": dry_run,
                "keep_days": days,
                "runs": removed.runs,
                "results": removed.results,
                "evidence_bytes": removed.evidence_bytes,
            }
        )
        return
    did = "would remove" if dry_run else "removed"
    freed = f", {removed.evidence_bytes / (1 << 20):.1f} MiB of evidence" if removed.evidence_bytes else ""
    click.echo(
        f"{did} {number(removed.runs, 'run')} with {number(removed.results, 'result')}{freed}; {days} days are kept"
    )


def _require_believable(now: datetime, known: datetime | None) -> None:
    """Nothing is removed by a clock that may have been set wrong: it would not come back."""
    if known is not None and now - known > FORWARD:
        raise ConfigError(
            f"the clock says {now:%Y-%m-%d %H:%M}, and the newest run, or the last removal of old ones, is of "
            f"{known:%Y-%m-%d %H:%M}. If the clock is right, say so with --trust-clock; --dry-run says what would go"
        )

"""`assess results prune`: what is older than the configuration keeps goes, and the chain says so."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.clock import utc_now
from assess_core.errors import ConfigError, StoreError
from assess_core.formats.sentences import number
from assess_core.journal import FORWARD
from assess_core.up.lock import RunsAlreadyError, only_one
from assess_registry.console import print_json


@click.command(name="prune")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--trust-clock", is_flag=True, help="The clock is right, although nothing was done here for long.")
@click.option("--compact", is_flag=True, help="Then give the room back to the file system; no `assess up` may run.")
@output_option("table", "json")
@common
def command(
    *, output: str, config: Path | None, state_dir: Path | None, dry_run: bool, trust_clock: bool, compact: bool
) -> None:
    """Remove runs that ended more than `results.keep_days` ago, and evidence that no run refers to.

    The newest run of each assessment and its newest complete and whole one stay however old they are.
    """
    if compact and dry_run:
        raise click.UsageError("--dry-run changes nothing: leave out --compact")
    with open_runtime(config, state_dir) as runtime, _alone(runtime.store.root) if compact else nullcontext():
        days = runtime.config.results.keep_days
        now = utc_now()
        if not dry_run and not trust_clock:
            _require_believable(now, runtime.journal.looked_at(or_ended=True))
        do = runtime.journal.would_remove if dry_run else runtime.journal.retain
        removed = do(keep_days=days, now=now)
        compacted = runtime.journal.compact() if compact else None
    if output == "json":
        print_json(
            {
                "dry_run": dry_run,
                "keep_days": days,
                "runs": removed.runs,
                "results": removed.results,
                "evidence_bytes": removed.evidence_bytes,
                "journal_bytes": compacted.after if compacted else None,
                "given_back_bytes": compacted.before - compacted.after if compacted else None,
            }
        )
        return
    did = "would remove" if dry_run else "removed"
    freed = f", {removed.evidence_bytes / (1 << 20):.1f} MiB of evidence" if removed.evidence_bytes else ""
    click.echo(
        f"{did} {number(removed.runs, 'run')} with {number(removed.results, 'result')}{freed}; {days} days are kept"
    )
    if compacted:
        sizes = [each / (1 << 20) for each in (compacted.before, compacted.after)]
        click.echo("the journal had {:.1f} MiB and has {:.1f}".format(*sizes))


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Inside, no `assess up` runs or starts: it would wait for the whole of it, longer than one that works.

    Raises:
        StoreError: one runs.
    """
    try:
        with only_one(state, within_s=0):
            yield
    except RunsAlreadyError as error:
        raise StoreError(f"--compact writes the whole journal anew, and nothing was removed: {error}") from error


def _require_believable(now: datetime, known: datetime | None) -> None:
    """Nothing is removed by a clock that may have been set wrong: it would not come back."""
    if known is not None and now - known > FORWARD:
        raise ConfigError(
            f"the clock says {now:%Y-%m-%d %H:%M}, and the newest run, or the last removal of old ones, is of "
            f"{known:%Y-%m-%d %H:%M}. If the clock is right, say so with --trust-clock; --dry-run says what would go"
        )

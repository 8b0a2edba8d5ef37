"""`assess sync`: what was audited is what is installed."""

from collections.abc import Sequence
from pathlib import Path

import click

from assess_core.cli.failure import refusal
from assess_core.cli.options import common, open_runtime, output_option, quiet_option
from assess_core.cli.permitted import waiting_facts
from assess_core.cli.show import say
from assess_core.cli.tell import tell
from assess_core.delivery.values import Action, Synced
from assess_registry.client import table
from assess_registry.console import EXIT_OPERATIONAL, EXIT_REFUSED, EXIT_USAGE, print_json

HEADINGS = ("PLUGIN", "ACTION", "VERSION", "WAS", "REASON")


@click.command(name="sync")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--retry", is_flag=True, help="Bring up at once what failed and is held back.")
@output_option("table", "json")
@quiet_option
@common
def command(
    *, dry_run: bool, retry: bool, output: str, config: Path | None, state_dir: Path | None, quiet: bool
) -> int:
    """Install exactly the plugins the configuration asks for, verified; switch off the others."""
    with open_runtime(config, state_dir) as runtime:
        lines = runtime.sync(notify=say(quiet=quiet), dry_run=dry_run, retry=retry)
    for line in lines:
        tell(line, quiet=quiet)
    if output == "json":
        document = {"dry_run": dry_run, "plugins": [_line(line) for line in lines]}
        print_json(document)
    else:
        rows = [(line.distribution, line.action.value, line.version, line.previous, _short(line)) for line in lines]
        click.echo(table(HEADINGS, rows), nl=False)
    return exit_code(lines)


def exit_code(lines: Sequence[Synced]) -> int:
    """5 if anything was refused, else 1 if anything failed, else 2 if one may not start for what is withheld, else 0.

    A version that waits for consent while the one before it runs is no failure; where none runs, it is one.
    """
    actions = {line.action for line in lines}
    idle = any(line.action is Action.WAITING and not line.previous for line in lines)
    if Action.REFUSED in actions:
        return EXIT_REFUSED
    if idle or actions & {Action.FAILED, Action.HELD}:
        return EXIT_OPERATIONAL
    return EXIT_USAGE if Action.WITHHELD in actions else 0


def _short(line: Synced) -> str:
    """For one cell; the whole stands on stderr."""
    if line.action is Action.REFUSED and line.refusal is not None:
        return f"step {line.refusal.step!r}: {line.refusal.what}"
    return line.reason.partition("\n")[0]


def _line(line: Synced) -> dict[str, object]:
    return {
        "distribution": line.distribution,
        "action": line.action.value,
        "version": line.version,
        "previous": line.previous,
        "reason": line.reason,
        "refusal": refusal(line.refusal) if line.refusal is not None else None,
        "waiting": waiting_facts(line.growth) if line.growth is not None else None,
        "withheld": list(line.withheld),
        "warnings": list(line.warnings),
    }

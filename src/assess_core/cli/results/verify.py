"""`assess results verify`: whether the journal is what this runtime wrote, and nothing of it changed, added or gone."""

import re
from collections.abc import Sequence
from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.clock import timestamp
from assess_core.errors import ConfigError
from assess_core.formats.sentences import number
from assess_core.journal import ChainStanding, Report, Trouble
from assess_core.journal.identity import HEAD_BYTES, Head
from assess_core.place import user_name
from assess_registry.client import load_public_key, plain, table
from assess_registry.console import EXIT_REFUSED, print_json

_HEAD = re.compile(rf"([0-9]{{1,18}}):([0-9a-f]{{{2 * HEAD_BYTES}}})\Z", re.ASCII)


@click.command(name="verify")
@click.argument("backup", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option("--head", metavar="N:DIGEST", help="Where the chain stood at some time, as it was noted elsewhere.")
@click.option(
    "--key",
    "keys",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A public key (.pub) that is this runtime's, in place of those in its state directory; may be repeated.",
)
@click.option(
    "--accept",
    metavar="REASON",
    help="Note in the chain that you have looked into what it says of a cut, a replacement or another key until now.",
)
@output_option("table", "json")
@common
def command(
    *,
    backup: Path | None,
    head: str | None,
    keys: Sequence[Path],
    accept: str | None,
    output: str,
    config: Path | None,
    state_dir: Path | None,
) -> int:
    """Hold every run, result and piece of evidence against the signed chain; exit 5 on a difference.

    BACKUP: a copy that is read in place of the journal.

    What was changed, added or is missing cannot be accepted: a journal of before can be put back, and that be accepted.
    """
    if accept is not None and (backup is not None or not accept.strip()):
        raise ConfigError("--accept: expected a reason, and the runtime's own journal: a backup stays as it is")
    trusted = tuple(load_public_key(path) for path in keys)
    with open_runtime(config, state_dir) as runtime:
        noted = {runtime.config.runtime.id: _head(head)} if head is not None else {}
        if accept is not None:
            runtime.journal.accept(reason=accept.strip(), by=user_name())
        report = runtime.journal.verify(noted=noted, trusted=trusted, backup=backup)
    if output == "json":
        print_json(_document(report))
    else:
        click.echo(_text(report), nl=False)
    return 0 if report.sound else EXIT_REFUSED


def _head(text: str) -> Head:
    if not (found := _HEAD.match(text)):
        raise ConfigError(f"--head: expected N:DIGEST as `assess results verify` prints it, got {plain(text)!r}")
    return Head(seq=int(found[1]), digest=bytes.fromhex(found[2]))


def _text(report: Report) -> str:
    """What is wrong, a row each, then where each chain stands, then what it comes to."""
    rows = [(each.word.value.upper(), each.runtime, each.where, _what(each)) for each in report.troubles]
    lines = [_line(chain) for chain in report.chains] + [f"note: {plain(note)}" for note in report.notes]
    lines.append(_sum(report))
    return table(("WHAT", "RUNTIME", "WHERE", "WHY"), rows) + "\n".join(lines) + "\n"


def _what(trouble: Trouble) -> str:
    return f"{trouble.message} ({trouble.accepted})" if trouble.accepted else trouble.message


def _line(chain: ChainStanding) -> str:
    said = [f"chain of {plain(chain.runtime)}: entries {chain.first} to {chain.head.seq}"]
    if chain.begun_at is not None:
        said.append(f"since {timestamp(chain.begun_at)}")
    if chain.adopted:
        said.append(f"{number(chain.adopted, 'run')} of before it")
    if chain.removed_at is not None:
        said.append(f"retention last removed some at {timestamp(chain.removed_at)}")
    if chain.moved_at is not None:
        said.append(f"on another machine since {timestamp(chain.moved_at)}")
    return f"{', '.join(said)}\n  head {chain.head.seq}:{chain.head.digest.hex()}"


def _sum(report: Report) -> str:
    counts = (report.runs, "run"), (report.results, "result"), (report.evidence, "piece")
    held = f"{', '.join(number(count, noun) for count, noun in counts)} of evidence"
    gone = f", {report.gone} more that were removed" if report.gone else ""
    wrong = sum(not trouble.accepted for trouble in report.troubles)
    return f"{held}{gone}: " + (f"{wrong} not as it was signed" if wrong else "all as it was signed")


def _document(report: Report) -> dict[str, object]:
    return {
        "sound": report.sound,
        "runs": report.runs,
        "results": report.results,
        "evidence": report.evidence,
        "evidence_gone": report.gone,
        "chains": [_chain(chain) for chain in report.chains],
        "troubles": [_trouble(trouble) for trouble in report.troubles],
        "notes": list(report.notes),
    }


def _chain(chain: ChainStanding) -> dict[str, object]:
    return {
        "runtime": chain.runtime,
        "first": chain.first,
        "last": chain.head.seq,
        "head": f"{chain.head.seq}:{chain.head.digest.hex()}",
        "begun_at": timestamp(chain.begun_at) if chain.begun_at else None,
        "adopted_runs": chain.adopted,
        "removed_runs": chain.removed_runs,
        "removed_at": timestamp(chain.removed_at) if chain.removed_at else None,
        "moved_at": timestamp(chain.moved_at) if chain.moved_at else None,
    }


def _trouble(trouble: Trouble) -> dict[str, object]:
    return {
        "word": trouble.word.value,
        "runtime": trouble.runtime,
        "where": trouble.where,
        "message": trouble.message,
        "run_id": trouble.run_id or None,
        "seq": trouble.seq,
        "accepted": trouble.accepted or None,
    }

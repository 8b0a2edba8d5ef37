"""`assess results backup`: a copy of the journal that is whole, whoever writes to it meanwhile."""

from pathlib import Path

import click

from assess_core.cli.options import common, open_runtime, output_option
from assess_core.formats.sentences import number
from assess_registry.client import plain
from assess_registry.console import print_json


@click.command(name="backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@output_option("table", "json")
@common
def command(file: Path, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Copy the journal to FILE (mode 0600) while it is in use, and read the copy back; an older copy is replaced.

    The runtime's keys are not in it: they stay where they are. Where its chains stood is printed, to be noted
    elsewhere and given to `assess results verify FILE --head`.
    """
    with open_runtime(config, state_dir) as runtime:
        heads = {name: f"{head.seq}:{head.digest.hex()}" for name, head in runtime.journal.heads().items()}
        done = runtime.journal.back_up(file.absolute())
    if output == "json":
        print_json(
            {"file": str(done.path), "bytes": done.size, "runs": done.runs, "results": done.results, "heads": heads}
        )
        return
    held = f"{number(done.runs, 'run')} with {number(done.results, 'result')}"
    click.echo(f"{plain(done.path)}: {held}, {done.size / (1 << 20):.1f} MiB")
    for name, head in heads.items():
        click.echo(f"The chain of {plain(name)} stands at {head}; noted elsewhere, it tells of another past.")

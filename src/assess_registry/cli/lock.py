"""`assess-registry lock WHEEL...`."""

from pathlib import Path

import click

from assess_registry.cli.options import index_option, output_option
from assess_registry.config import load_config
from assess_registry.console import FiniteRange, print_json
from assess_registry.lock import LockedWheel
from assess_registry.locking import IndexSource, Locked, Opinion, lock_closure, require_index
from assess_registry.names import ProjectName
from assess_registry.text import table

PIP, PACKAGING = "by pip", "by packaging.pylock only"


@click.command("lock")
@click.argument("wheels", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--closure", type=click.Path(path_type=Path, file_okay=False), help="Directory with wheels to choose from."
)
@click.option(
    "--fetch-from", metavar="URL", default="", help="Simple pages of a package index to fetch other wheels from."
)
@click.option(
    "--files-host",
    "files_hosts",
    metavar="HOST",
    multiple=True,
    help="Another host on which that index keeps files; nothing else is connected to.",
)
@click.option(
    "--to",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Directory for the closure; new or empty.",
)
@click.option(
    "--python",
    "interpreters",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="An interpreter under which pip is asked, besides those on the path.",
)
@click.option(
    "--timeout", "timeout_s", type=FiniteRange(1), default=120.0, show_default=True, help="Seconds for the index."
)
@click.option("--proxy", default="", help="http://HOST:PORT to tunnel through to the index.")
@click.option(
    "--ca-file", type=click.Path(path_type=Path, dir_okay=False), help="Authorities that may vouch for its host."
)
@index_option
@output_option
def command(
    *,
    wheels: tuple[Path, ...],
    closure: Path | None,
    fetch_from: str,
    files_hosts: tuple[str, ...],
    directory: Path,
    interpreters: tuple[Path, ...],
    timeout_s: float,
    proxy: str,
    ca_file: Path | None,
    root: Path,
    output: str,
) -> int:
    """Choose what the WHEELS of one version run with, for every Python and platform of the registry.

    Makes a directory of exactly these wheels and their pylock.toml, for `submit --closure`.
    """
    source = None
    if fetch_from:
        source = IndexSource(url=fetch_from, files_hosts=files_hosts, proxy=proxy, ca_file=ca_file, timeout_s=timeout_s)
        require_index(source)
    made = lock_closure(
        wheels,
        targets=load_config(root).targets,
        folder=closure,
        index=source,
        output=directory,
        interpreters=interpreters,
    )
    if output == "json":
        print_json(_document(made))
    else:
        click.echo(table(("PROJECT", "VERSION", "WHEELS", "NEEDED"), _projects(made)))
        click.echo(table(("TARGET", "WHEELS", "CHECKED"), [_row(each) for each in made.opinions]), nl=False)
    return 0


def _projects(made: Locked) -> list[tuple[object, ...]]:
    """One row for each project: how many wheels of it, and when it is needed."""
    wheels: dict[ProjectName, list[LockedWheel]] = {}
    for each in made.lock.wheels:
        wheels.setdefault(each.project, []).append(each)
    return [
        (project, each[0].version, len(each), "always" if each[0].marker is None else each[0].marker)
        for project, each in wheels.items()
    ]


def _row(opinion: Opinion) -> tuple[object, ...]:
    return opinion.target, len(opinion.wheels), _checked(opinion)


def _checked(opinion: Opinion) -> str:
    if not opinion.wheels:
        return "the plugin has no wheel for it"
    return f"{PIP} under {opinion.checked_by}" if opinion.checked_by else PACKAGING


def _document(made: Locked) -> dict[str, object]:
    return {
        "directory": str(made.directory),
        "wheels": [
            {
                "project": each.project,
                "version": each.version,
                "filename": each.filename,
                "sha256": each.sha256,
                "size": each.size,
                "marker": None if each.marker is None else str(each.marker),
                "downloaded": each.filename in made.downloaded,
            }
            for each in made.lock.wheels
        ],
        "targets": [
            {"target": each.target, "wheels": list(each.wheels), "checked_by_pip_under": each.checked_by or None}
            for each in made.opinions
        ],
    }

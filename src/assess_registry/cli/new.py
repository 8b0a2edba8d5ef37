"""`assess-registry new NAME`."""

from pathlib import Path

import click
from click.core import ParameterSource

from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.terms import implicit_index
from assess_registry.console import print_json
from assess_registry.scaffolding import ScaffoldReport, scaffold
from assess_registry.scaffolding.contents import KINDS, Kind
from assess_registry.text import table


@click.command("new")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="plugin",
    show_default=True,
    help="Does it assess subjects or find them?",
)
@click.option(
    "--to",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Directory to make it in. [default: the current one]",
)
@index_option
@output_option
@click.pass_context
def command(context: click.Context, *, name: str, kind: Kind, directory: Path | None, root: Path, output: str) -> int:
    """Make the project of a plugin called NAME, in a new directory of that name.

    It builds, passes its tests and its own audit as it is; README.md says how. Nothing is ever written over.
    """
    is_implicit = context.get_parameter_source("root") is ParameterSource.DEFAULT
    index = implicit_index(root, audited=()) if is_implicit else root
    _show(scaffold(name, kind=kind, to=directory, index=index), output)
    return 0


def _show(report: ScaffoldReport, output: str) -> None:
    if output == "json":
        document = {
            "project": report.project,
            "module": report.module,
            "kind": report.kind,
            "directory": str(report.directory),
            "files": list(report.files),
        }
        print_json({"new": document})
        return
    rows = [
        (report.kind, report.project),
        ("directory", report.directory),
        *(("file", name) for name in report.files),
        ("next", "read its README.md, then: tox"),
    ]
    click.echo(table(("NEW", ""), rows), nl=False)

"""`assess-registry export NAME[==VERSION] ... --to FILE`."""

from pathlib import Path

import click

from assess_registry.bundle import Exported, export_bundle
from assess_registry.cli.options import output_option
from assess_registry.cli.places import access_options, place_option, registry_place, root_option, state_option
from assess_registry.client import Access
from assess_registry.console import FiniteRange, print_json
from assess_registry.text import table


@click.command("export")
@click.argument("requirements", nargs=-1, required=True, metavar="NAME[==VERSION]...")
@place_option
@root_option
@state_option
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The bundle; replaced if it exists."
)
@click.option(
    "--accept-development-registry", is_flag=True, help="It may be one whose keys all lie in one person's hands."
)
@click.option(
    "--timeout", "timeout_s", type=FiniteRange(0, 86_400, min_open=True), default=600.0, show_default=True,
    help="Seconds for everything together.",
)  # fmt: skip
@access_options
@output_option
def command(
    *,
    requirements: tuple[str, ...],
    index: str,
    root: Path,
    state: Path | None,
    to: Path,
    accept_development_registry: bool,
    timeout_s: float,
    access: Access,
    output: str,
) -> None:
    """Write plugins, all they run with on every platform, and the registry's signed word into one file, verified.

    The same plugins of the same registry give the same bytes. `assess-registry import` takes it into a site without a
    network.
    """
    registry = registry_place(
        index, root=root, state=state, development=accept_development_registry, timeout_s=timeout_s, access=access
    )
    report = export_bundle(requirements, registry=registry, to=to)
    if output == "json":
        print_json({"exported": _document(report)})
    else:
        click.echo(_summary(report), nl=False)


def _document(report: Exported) -> dict[str, object]:
    return {
        "bundle": str(report.path),
        "sha256": report.sha256,
        "size": report.size,
        "files": report.files,
        "releases": [
            {
                "project": each.project,
                "version": each.release.version,
                "wheels": [wheel.filename for wheel in each.release.wheels],
                "closure": [dependency.wheel.filename for dependency in each.closure],
            }
            for each in report.releases
        ],
    }


def _summary(report: Exported) -> str:
    rows = [
        *(
            ("carries", f"{each.project} {each.release.version}, with {len(each.closure)} wheels it runs with")
            for each in report.releases
        ),
        ("files", f"{report.files}, {report.size} bytes"),
        ("sha256", report.sha256),
    ]
    return table(("EXPORTED", str(report.path)), rows)

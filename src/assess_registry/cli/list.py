"""`assess-registry list [NAME...]`."""

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from assess_registry.cli.options import output_option
from assess_registry.cli.places import access_options, place_option
from assess_registry.client import Access
from assess_registry.config import CONFIG_NAME, load_config
from assess_registry.console import print_json
from assess_registry.errors import ConfigError
from assess_registry.index.flat import FLAT_ROOT
from assess_registry.index.plan import plugin_wheels
from assess_registry.index.tree import Tree
from assess_registry.lock import LOCK_NAME
from assess_registry.names import ProjectName, normalize_project
from assess_registry.simple import list_folder, load_index
from assess_registry.text import plain, table

Listing = tuple[dict[str, Any], list[dict[str, Any]]]
"""What it is that was listed, and its wheels."""

COLUMNS = ("project", "version", "kind", "filename", "size", "sha256")


@click.command("list")
@click.argument("names", nargs=-1)
@place_option
@access_options
@output_option
def command(*, names: tuple[str, ...], index: str, access: Access, output: str) -> None:
    """List the wheels of an index or of a folder of plugins; of the projects NAMES alone, if any are given.

    Of a registry on this machine these are plugins and the dependencies mirrored with them, of one that is read by its
    pages (a URL) plugins. Nothing is verified: `assess-registry verify` does that.
    """
    wanted = tuple(_project(name) for name in names)
    where, wheels = _listed(index, wanted, access)
    if output == "json":
        print_json({**where, "wheels": wheels})
        return
    rows = [[wheel[column] for column in COLUMNS] for wheel in wheels]
    click.echo(table([column.upper() for column in COLUMNS], rows), nl=False)
    if not wheels:
        click.echo(f"{plain(index)}: {'nothing of this name' if names else 'nothing'} is published yet", err=True)


def _listed(place: str, wanted: Collection[ProjectName], access: Access) -> Listing:
    """What it is, and its wheels."""
    path = Path(place)
    is_url = ":" in place.partition("/")[0]
    if is_url or ((path / FLAT_ROOT).is_file() and not (path / CONFIG_NAME).is_file()):
        return _from_pages(place, wanted, access)
    if not (path / CONFIG_NAME).is_file() and any(path.glob(f"*/{LOCK_NAME}")):
        wheels = [asdict(wheel) for wheel in list_folder(path) if not wanted or wheel.project in wanted]
        return {"folder": place}, wheels
    return _from_tree(path, wanted)


def _from_pages(place: str, wanted: Collection[ProjectName], access: Access) -> Listing:
    index = load_index(place, access=access)
    wheels = [
        {
            "project": entry.name,
            "version": entry.version,
            "kind": "plugin",
            "filename": entry.filename,
            "size": entry.size,
            "sha256": entry.sha256,
        }
        for project in (wanted or index.projects())
        for entry in index.entries(project)
    ]
    return {"index": index.url}, wheels


def _from_tree(root: Path, wanted: Collection[ProjectName]) -> Listing:
    config, tree = load_config(root), Tree(root)
    wheels = [
        {
            "project": file.project,
            "version": file.version,
            "kind": "plugin" if file.filename in plugin_wheels(tree, file.project, file.version) else "dependency",
            "filename": file.filename,
            "size": file.size,
            "sha256": file.sha256,
        }
        for project in (wanted or tree.projects())
        for file in tree.page_files(project)
    ]
    return {"registry": {"name": config.name, "development": config.development}}, wheels


def _project(name: str) -> ProjectName:
    try:
        return normalize_project(name)
    except ValueError as error:
        raise ConfigError(str(error)) from error

"""`assess-registry list`."""

from pathlib import Path

import click

from assess_registry.cli.options import index_option, output_option
from assess_registry.config import load_config
from assess_registry.console import print_json
from assess_registry.index.plan import plugin_wheels
from assess_registry.index.tree import Tree
from assess_registry.text import plain, table


@click.command("list")
@index_option
@output_option
def command(root: Path, output: str) -> None:
    """List every wheel an index offers: plugins, and the dependencies mirrored with them."""
    config = load_config(root)
    tree = Tree(root)
    wheels = [
        {
            "project": file.project,
            "version": file.version,
            "kind": "plugin" if file.filename in plugin_wheels(tree, file.project, file.version) else "dependency",
            "filename": file.filename,
            "size": file.size,
            "sha256": file.sha256,
        }
        for project in tree.projects()
        for file in tree.page_files(project)
    ]
    if output == "json":
        print_json({"registry": {"name": config.name, "development": config.development}, "wheels": wheels})
        return
    columns = ("project", "version", "kind", "filename", "size", "sha256")
    click.echo(
        table([name.upper() for name in columns], [[wheel[name] for name in columns] for wheel in wheels]), nl=False
    )
    if not wheels:
        click.echo(f"{plain(root)}: nothing is published yet", err=True)

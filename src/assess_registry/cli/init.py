"""`assess-registry init ROOT`."""

from pathlib import Path

import click

from assess_registry.config import CONFIG_NAME, IndexConfig
from assess_registry.errors import ConfigError
from assess_registry.index.create import create_index
from assess_registry.names import parse_id
from assess_registry.text import plain


@click.command("init")
@click.argument("root", type=click.Path(path_type=Path, file_okay=False))
@click.option("--development", is_flag=True, help="For one machine: published bytes may be replaced on request.")
@click.option("--name", default="local", show_default=True, help="What the registry is called in messages.")
def command(root: Path, development: bool, name: str) -> None:
    """Make a registry at ROOT: registry.toml, and an index that is empty and valid.

    Whatever is there already is kept, registry.toml above all.
    """
    try:
        wanted = IndexConfig(name=parse_id(name), development=development)
    except ValueError as error:
        raise ConfigError(f"--name: {error}") from error
    config, written = create_index(root, wanted)
    path = plain(root / CONFIG_NAME)
    if CONFIG_NAME in written:
        click.echo(f"made the registry {config.name!r} at {plain(root)}: edit {path}", err=True)
    elif config == wanted:
        click.echo(f"{path} exists; {'completed the index' if written else 'nothing to do'}", err=True)
    else:
        click.echo(f"{path} exists and stays as it is (name = {config.name!r}, development = "
                   f"{str(config.development).lower()}); edit it by hand", err=True)  # fmt: skip

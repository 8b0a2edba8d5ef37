"""`assess-registry init ROOT`."""

from pathlib import Path

import click

from assess_registry.cli.options import keys_directory
from assess_registry.cli.signing import now
from assess_registry.config import CONFIG_NAME, IndexConfig
from assess_registry.errors import ConfigError
from assess_registry.index.create import create_index
from assess_registry.keys import KeyRing
from assess_registry.names import parse_id
from assess_registry.publish.development import create_development
from assess_registry.text import plain


@click.command("init")
@click.argument("root", type=click.Path(path_type=Path, file_okay=False))
@click.option("--development", is_flag=True, help="For one machine: all keys are made here, and nobody else reviews.")
@click.option(
    "--keys",
    "keys_dir",
    type=click.Path(path_type=Path),
    default=None,
    envvar="ASSESS_KEYS_DIR",
    show_envvar=True,
    help="With --development: where keys lie. [default: assess/keys in the user's configuration directory]",
)
@click.option("--name", default="local", show_default=True, help="What the registry is called in messages.")
def command(root: Path, development: bool, keys_dir: Path | None, name: str) -> None:
    """Make a registry at ROOT: registry.toml, and an index that is empty and valid.

    With --development also every key and a signed, empty catalogue: one command publishes to it. Otherwise the root
    ceremony comes next.

    Whatever is there already is kept, registry.toml above all.
    """
    try:
        wanted = IndexConfig(name=parse_id(name), development=development)
    except ValueError as error:
        raise ConfigError(f"--name: {error}") from error
    existed = (root / CONFIG_NAME).exists()
    if development:
        config, written = create_development(root, wanted.name, ring=KeyRing(keys_directory(keys_dir)), now=now())
    else:
        config, written = create_index(root, wanted)
    path = plain(root / CONFIG_NAME)
    if not existed:
        click.echo(f"made the registry {config.name!r} at {plain(root)}: edit {path}", err=True)
    elif (config.name, config.development) == (wanted.name, wanted.development):
        click.echo(f"{path} exists; {'completed the registry' if written else 'nothing to do'}", err=True)
    else:
        click.echo(f"{path} exists and stays as it is (name = {config.name!r}, development = "
                   f"{str(config.development).lower()}); edit it by hand", err=True)  # fmt: skip

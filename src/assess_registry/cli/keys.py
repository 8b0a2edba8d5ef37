"""`assess-registry keys new NAME` and `keys list`."""

from pathlib import Path

import click

from assess_registry.cli.options import (
    keys_directory,
    keys_directory_option,
    output_option,
    passphrase_option,
    read_passphrase,
)
from assess_registry.console import print_json
from assess_registry.errors import ConfigError
from assess_registry.keys import KEY_SUFFIX, PUBLIC_SUFFIX, generate_key, load_public_key, write_key_pair
from assess_registry.text import plain, table


@click.group("keys")
def command() -> None:
    """Make and list the keys that sign wheels."""


@command.command("new")
@click.argument("name")
@keys_directory_option
@passphrase_option
def new(name: str, directory: Path | None, passphrase_file: Path | None) -> None:
    """Make NAME.key, for you alone, and NAME.pub, for everybody; prints the key's id."""
    passphrase = read_passphrase(passphrase_file)
    key = generate_key()
    private, public = write_key_pair(keys_directory(directory), name, key, passphrase=passphrase)
    click.echo(key.public.id)
    click.echo(f"wrote {plain(private)} (keep it secret) and {plain(public)} (give it to who shall trust it)", err=True)


@command.command("list")
@keys_directory_option
@output_option
def list_keys(directory: Path | None, output: str) -> None:
    """List the keys of a directory with their ids."""
    where = keys_directory(directory)
    if not where.is_dir():
        raise ConfigError(f"{where}: no such directory; make a key with: assess-registry keys new NAME")
    keys = [
        {"name": path.stem, "id": load_public_key(path).id, "private": path.with_suffix(KEY_SUFFIX).is_file()}
        for path in sorted(where.glob(f"*{PUBLIC_SUFFIX}"))
    ]
    if output == "json":
        print_json({"directory": str(where), "keys": keys})
        return
    rows = [(key["name"], key["id"], "yes" if key["private"] else "no") for key in keys]
    click.echo(table(("NAME", "ID", "PRIVATE KEY HERE"), rows), nl=False)

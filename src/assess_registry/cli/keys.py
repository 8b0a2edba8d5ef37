"""`assess-registry keys new | list | add | rotate | revoke`."""

import sys
from pathlib import Path

import click

from assess_registry.canonical import write_time
from assess_registry.cli.key_holders import add, keys_of_tuf, revoke, rotate
from assess_registry.cli.options import (
    keys_directory,
    keys_directory_option,
    output_option,
    passphrase_option,
    read_passphrase,
)
from assess_registry.cli.signed import signed
from assess_registry.cli.signing import now
from assess_registry.config import load_config
from assess_registry.config.edit import keys_of
from assess_registry.console import VerbGroup, print_json
from assess_registry.errors import ConfigError
from assess_registry.keys import PUBLIC_SUFFIX, ROLES, KeyRing, RingKey, Role
from assess_registry.text import plain, table


@click.group("keys", cls=VerbGroup)
def command() -> None:
    """Make and list keys; say in registry.toml whose keys count, and since when no more."""


command.add_command(signed)


@command.command("new")
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), default="publisher", show_default=True, help="The one thing the key is for."
)
@keys_directory_option
@passphrase_option
@click.option("--unencrypted", is_flag=True, help="Protect the key by its file's mode alone.")
def new(name: str, role: Role, directory: Path | None, passphrase_file: Path | None, unencrypted: bool) -> None:
    """Make ROLE/NAME.key, for you alone, and ROLE/NAME.pub, for everybody; prints the key's id.

    Asks for a passphrase, which only a person at a terminal can be asked for.
    """
    passphrase = _new_passphrase(passphrase_file, unencrypted=unencrypted)
    made = KeyRing(keys_directory(directory)).create(role, name, passphrase=passphrase)
    click.echo(made.key.id)
    private = made.private or Path()
    public = private.with_suffix(PUBLIC_SUFFIX)
    click.echo(f"wrote {plain(private)} (keep it secret) and {plain(public)} (give it to who shall trust it)", err=True)


@command.command("list")
@keys_directory_option
@click.option(
    "--index",
    "root",
    type=click.Path(path_type=Path),
    default=None,
    help="List the keys of this registry instead, with their times.",
)
@output_option
def list_keys(directory: Path | None, root: Path | None, output: str) -> None:
    """List the keys of a directory, or those that a registry believes, with their ids."""
    if root is not None:
        _list_registry(root, output)
        return
    where = keys_directory(directory)
    if not where.is_dir():
        raise ConfigError(f"{where}: no such directory; make a key with: assess-registry keys new NAME --role ROLE")
    keys = KeyRing(where).entries()
    if astray := sorted(where.glob(f"*{PUBLIC_SUFFIX}")):
        click.echo(f"warning: {plain(where)}: {len(astray)} keys lie in no role's folder and are not listed", err=True)
    if output == "json":
        print_json({"directory": str(where), "keys": [_ring_document(key) for key in keys]})
        return
    rows = [(key.role, key.name, key.key.id, "yes" if key.private else "no") for key in keys]
    click.echo(table(("ROLE", "NAME", "ID", "PRIVATE KEY HERE"), rows), nl=False)


for one in (add, rotate, revoke):
    command.add_command(one)


def _new_passphrase(file: Path | None, *, unencrypted: bool) -> bytes | None:
    if file is not None and unencrypted:
        raise ConfigError("--unencrypted: a passphrase was given, too; leave one of the two out")
    if file is not None or unencrypted:
        return read_passphrase(file)
    if not sys.stdin.isatty():
        raise ConfigError("nobody to ask for a passphrase: give --passphrase-file FILE, or --unencrypted")
    typed: str = click.prompt("Passphrase of the new key", hide_input=True, confirmation_prompt=True, err=True)
    return typed.encode()


def _ring_document(key: RingKey) -> dict[str, object]:
    return {"role": key.role, "name": key.name, "id": key.key.id, "private": key.private is not None}


def _list_registry(root: Path, output: str) -> None:
    config, time = load_config(root), now()
    keys = [
        {
            "role": holder.role,
            "name": holder.name,
            "id": timed.key.id,
            "public": timed.key.base64(),
            "from": write_time(timed.valid_from),
            "until": write_time(timed.valid_until) if timed.valid_until else None,
            "revoked": timed.revoked or None,
            "valid": timed.valid_at(time),
        }
        for holder, timed in keys_of(config)
    ]
    keys += [
        {"role": role, "name": "", "id": key.id, "public": key.base64(), "valid": True}
        for role, key in keys_of_tuf(root)
    ]
    if output == "json":
        print_json({"registry": str(root), "keys": keys})
        return
    rows = [
        (key["role"], key["name"], key["id"], "yes" if key["valid"] else "no", key.get("from", ""),
         key.get("until") or "", key.get("revoked") or "")
        for key in keys
    ]  # fmt: skip
    click.echo(table(("ROLE", "NAME", "ID", "VALID", "FROM", "UNTIL", "REVOKED"), rows), nl=False)

"""`assess-registry keys signed KEY_ID`."""

from pathlib import Path

import click

from assess_registry.canonical import write_time
from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.signing import now
from assess_registry.console import print_json
from assess_registry.errors import ConfigError
from assess_registry.keys import parse_key_id
from assess_registry.text import table


@click.command("signed")
@click.argument("key_id")
@index_option
@output_option
def signed(key_id: str, root: Path, output: str) -> None:
    """Say what the key with this id has signed in a registry, and whether that is still served."""
    from assess_registry.publish.signed import signed_by  # not for the other commands of `keys`, which need less

    try:
        key = parse_key_id(key_id)
    except ValueError as error:
        raise ConfigError(f"KEY_ID: {error}") from error
    things = signed_by(root, key, now=now())
    if output == "json":
        found = [
            {
                "kind": each.kind,
                "path": each.path,
                "since": write_time(each.since) if each.since else None,
                "served": each.served,
            }
            for each in things
        ]
        print_json({"key": key, "signed": found})
        return
    rows = [(each.kind, each.served, write_time(each.since) if each.since else "", each.path) for each in things]
    click.echo(table(("SIGNED", "SERVED", "SINCE", "WHERE"), rows), nl=False)
    if not things:
        click.echo("nothing here is signed with this key", err=True)

"""`assess-registry yank PROJECT VERSION`."""

from pathlib import Path

import click

from assess_registry.cli.after import accept_registry_changes_option, offer_option, project_name, show, signing_keys
from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.signing import (
    now,
    online_keys_option,
    overrule_clock_option,
    passphrases_option,
    release_keys_option,
)
from assess_registry.errors import ConfigError
from assess_registry.publish.after import yank


@click.command("yank")
@click.argument("project")
@click.argument("version")
@click.option("--reason", default=None, help="Why, one line for everybody to read.")
@click.option("--undo", is_flag=True, help="Take it back: new installations may use it again.")
@release_keys_option
@online_keys_option
@passphrases_option
@accept_registry_changes_option
@overrule_clock_option
@offer_option
@index_option
@output_option
def command(
    *,
    project: str,
    version: str,
    reason: str | None,
    undo: bool,
    release_keys: tuple[Path, ...],
    online_keys: tuple[Path, ...],
    passphrase_files: tuple[Path, ...],
    accept_registry_changes: bool,
    overrule_clock: bool,
    offer: bool,
    root: Path,
    output: str,
) -> None:
    """Let nothing new use VERSION of PROJECT. Who pins exactly this version still gets it."""
    if undo == (reason is not None):
        raise ConfigError("give either --reason TEXT or --undo")
    changed = yank(
        root,
        project_name(project),
        version,
        reason=reason,
        keys=signing_keys(release_keys, online_keys, passphrase_files, offer=offer, overrule_clock=overrule_clock),
        now=now(),
        accept_registry_changes=accept_registry_changes,
    )
    show("yanked" if reason is not None else "unyanked", changed, output, offer=offer)

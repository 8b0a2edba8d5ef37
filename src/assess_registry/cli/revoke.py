"""`assess-registry revoke PROJECT VERSION`."""

from pathlib import Path

import click

from assess_registry.catalogue import REVOCATION_SEVERITIES, RevocationSeverity
from assess_registry.cli.after import accept_registry_changes_option, offer_option, project_name, show, signing_keys
from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.signing import (
    now,
    online_keys_option,
    overrule_clock_option,
    passphrases_option,
    release_keys_option,
)
from assess_registry.publish.after import revoke


@click.command("revoke")
@click.argument("project")
@click.argument("version")
@click.option("--reason", required=True, help="Why, one line for everybody to read.")
@click.option(
    "--severity",
    type=click.Choice(REVOCATION_SEVERITIES),
    required=True,
    help="How bad it is to have it; kill: runtimes end it where it runs.",
)
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
    reason: str,
    severity: RevocationSeverity,
    release_keys: tuple[Path, ...],
    online_keys: tuple[Path, ...],
    passphrase_files: tuple[Path, ...],
    accept_registry_changes: bool,
    overrule_clock: bool,
    offer: bool,
    root: Path,
    output: str,
) -> None:
    """Let nobody have VERSION of PROJECT any more, a plugin's or a dependency's. It cannot be taken back."""
    changed = revoke(
        root,
        project_name(project),
        version,
        reason=reason,
        severity=severity,
        keys=signing_keys(release_keys, online_keys, passphrase_files, offer=offer, overrule_clock=overrule_clock),
        now=now(),
        accept_registry_changes=accept_registry_changes,
    )
    show("revoked", changed, output, offer=offer)

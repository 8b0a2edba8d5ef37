"""What `yank`, `revoke` and `mark` have in common: whose keys, which release, and how it is told."""

from pathlib import Path

import click

from assess_registry.cli.signing import load_keys
from assess_registry.console import print_json
from assess_registry.errors import ConfigError
from assess_registry.names import ProjectName, normalize_project
from assess_registry.publish.after import Changed
from assess_registry.publish.transaction import ReleaseKeys
from assess_registry.text import plain, table

accept_registry_changes_option = click.option(
    "--accept-registry-changes",
    is_flag=True,
    help="Sign what registry.toml says of people and keys, also where it is new.",
)

offer_option = click.option(
    "--offer", is_flag=True, help="Sign with the release keys alone, for `assemble` to take; nothing changes yet."
)


def signing_keys(
    release: tuple[Path, ...],
    online: tuple[Path, ...],
    passphrase_files: tuple[Path, ...],
    *,
    offer: bool = False,
    overrule_clock: bool = False,
) -> ReleaseKeys:
    """The keys that make something the registry's word; for an offer, the release keys alone.

    Raises:
        ConfigError: one is missing, or is no key.
    """
    if offer:
        if not release or online:
            raise ConfigError("--offer: give --release-key as often as the threshold asks for, and no --online-key")
        return ReleaseKeys(release=load_keys(release, passphrase_files), online=None, overrule_clock=overrule_clock)
    if not release or len(online) != 1:
        raise ConfigError("give --release-key as often as the threshold asks for, and --online-key once")
    (online_key,) = load_keys(online, passphrase_files)
    return ReleaseKeys(release=load_keys(release, passphrase_files), online=online_key, overrule_clock=overrule_clock)


def project_name(text: str) -> ProjectName:
    """The project that was typed."""
    try:
        return normalize_project(text)
    except ValueError as error:
        raise ConfigError(f"PROJECT: {error}") from error


def show(what: str, changed: Changed, output: str, *, offer: bool) -> None:
    """Say what became of the release, or will."""
    for sentence in changed.control:
        click.echo(f"registry: {plain(sentence)}", err=True)
    if output == "json":
        print_json(
            {
                what: {
                    "project": changed.project,
                    "version": changed.version,
                    "wheels": dict(changed.wheels),
                    "changed": bool(changed.written),
                }
                | ({"offered": True} if offer else {})
            }
        )
        return
    rows = [("plugin", f"{changed.project} {changed.version}")]
    rows += [("wheel", f"{name} sha256:{sha256}") for name, sha256 in sorted(changed.wheels.items())]
    rows.append(("changed", f"{len(changed.written)} files" if changed.written else "nothing, it was so already"))
    click.echo(table((heading(what, offer=offer), ""), rows), nl=False)


def heading(what: str, *, offer: bool) -> str:
    """What was done, in the first line of a table."""
    return f"OFFERED: {what.upper()}" if offer else what.upper()

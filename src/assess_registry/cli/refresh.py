"""`assess-registry refresh`: the registry's word, signed anew before it expires."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click

from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.signing import (
    load_keys,
    now,
    online_keys_option,
    overrule_clock_option,
    passphrases_option,
    release_keys_option,
)
from assess_registry.config import Expiry, is_site, load_config
from assess_registry.console import EXIT_DONE, EXIT_OPERATIONAL, print_json
from assess_registry.errors import ConfigError
from assess_registry.files import file_lock
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.index.root_tree import write_root_pages
from assess_registry.index.tree import SIMPLE, Tree
from assess_registry.publish.control_files import control_files, require_meant
from assess_registry.repository import BINS, CommitReport, Repository, RoleExpiry
from assess_registry.repository.ceremony import waiting
from assess_registry.repository.clock import OVERRULE
from assess_registry.repository.roles import MAX_BINS
from assess_registry.review.rules import rules_of
from assess_registry.status import pages_of
from assess_registry.text import table

_NEXT = {
    "root": "root: propose the next one with `assess-registry root propose` and have it signed",
    "release": "targets, bins: refresh with --release-key, too",
    "online": "snapshot, timestamp: refresh with --online-key",
}

_NEXT_AT_A_SITE = {
    "root": "root: import with --site-root-key; where clients trust the registry's own root, import a newer bundle",
    "release": "targets, bins: import a newer bundle; nobody signs these at a site",
    "online": "snapshot, timestamp: refresh with --online-key; where clients trust the registry's own root, import a "
    "newer bundle",
}


@click.command("refresh")
@online_keys_option
@release_keys_option
@passphrases_option
@click.option(
    "--bins",
    type=click.IntRange(1, MAX_BINS),
    default=BINS,
    show_default=True,
    help="Into how many hash bins the catalogue goes; first time.",
)
@click.option(
    "--accept-registry-changes", is_flag=True, help="Sign what registry.toml says of people and keys; you have read it."
)
@overrule_clock_option
@index_option
@output_option
def command(
    *,
    online_keys: tuple[Path, ...],
    release_keys: tuple[Path, ...],
    passphrase_files: tuple[Path, ...],
    bins: int,
    accept_registry_changes: bool,
    overrule_clock: bool,
    root: Path,
    output: str,
) -> int:
    """Sign snapshot and timestamp anew, and say when everything expires; without keys only say it.

    With --release-key also targets and bins that are past half of their time, and what registry.toml says of people,
    keys and policy. Publishes a fully signed root that changes keys. Exits 1 while something has to be signed soon.
    """
    site = is_site(root)
    expiry = Expiry() if site else load_config(root).expiry
    if site and release_keys:
        raise ConfigError(f"--release-key: {root} is a site, which serves what the registry's release keys have signed")
    if release_keys and not online_keys:
        raise ConfigError(
            "--release-key: what it signs counts only once the online key has signed it: give --online-key"
        )
    repository = Repository(root)
    report: CommitReport | None = None
    tree: Tree | None = None
    changes: tuple[str, ...] = ()
    if online_keys:
        # What control files say is made of what they said before: nobody publishes in between.
        with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
            targets, changes = _control(repository, accepted=accept_registry_changes) if release_keys else ({}, ())
            report = repository.refresh(
                online_keys=load_keys(online_keys, passphrase_files),
                release_keys=load_keys(release_keys, passphrase_files),
                now=now(),
                expiry=expiry,
                bins=bins,
                targets=targets,
                overrule_clock=overrule_clock,
            )
            tree = Tree(root)
            if (root / SIMPLE).is_dir():
                write_root_pages(tree)  # publishes leave the ones of many projects to this
            if not site and (pages := pages_of(tree, load_config(root), Repository.holding(root))):
                pages.refresh()
    for change in changes:
        click.echo(f"signed: {change}", err=True)
    proposal = waiting(root)
    if proposal is not None and proposal.complete:
        click.echo(f"root {proposal.root.version} is fully signed and waits for the keys that it names: give the new "
                   "release and online keys, and the old", err=True)  # fmt: skip
    expiries = repository.expiries(now=now(), expiry=expiry, own_terms=not site)
    written = (*(report.written if report else ()), *(tree.written if tree else ()))
    _print(written, expiries, output, _NEXT_AT_A_SITE if site else _NEXT)
    return EXIT_OPERATIONAL if any(each.alarm for each in expiries) else EXIT_DONE


def _control(repository: Repository, *, accepted: bool) -> tuple[Mapping[str, bytes], tuple[str, ...]]:
    """The control files as `registry.toml` wants them, and what of people and keys is new in them."""
    rules = rules_of(repository.place, now())
    changes = require_meant(repository, rules.control, accepted=accepted, policy=rules.config.policy)
    return control_files(repository, rules.config, rules.control), changes


def _print(written: Sequence[str], expiries: Iterable[RoleExpiry], output: str, following: Mapping[str, str]) -> None:
    if output == "json":
        roles = [
            {
                "role": each.role,
                "version": each.version,
                "expires": each.expires.isoformat(),
                "days_left": round(each.days_left, 3),
                "alarm": each.alarm,
                "beyond_term": each.beyond_term,
                "signer": each.signer,
            }
            for each in expiries
        ]
        print_json({"written": list(written), "roles": roles})
        return
    rows = [
        (each.role, str(each.version), f"{each.expires:%Y-%m-%d %H:%M}Z", f"{each.days_left:.1f}", each.signer,
         _alarm(each))
        for each in expiries
    ]  # fmt: skip
    click.echo(table(("ROLE", "VERSION", "EXPIRES", "DAYS LEFT", "KEYS", ""), rows), nl=False)
    for signer in dict.fromkeys(each.signer for each in expiries if each.alarm and not each.beyond_term):
        click.echo(f"alarm: {following[signer]}", err=True)
    if late := [each.role for each in expiries if each.beyond_term]:
        click.echo(
            f"alarm: {', '.join(late)}: ends later than its term allows: a clock was ahead when that was signed, or "
            f"the term was longer; look at the clock, then sign anew with {OVERRULE}",
            err=True,
        )


def _alarm(each: RoleExpiry) -> str:
    if each.beyond_term:
        return "TOO LATE"
    if each.alarm:
        return "soon" if each.days_left > 0 else "EXPIRED"
    return ""

"""`assess-registry publish`: submissions that were approved, or a wheel in a development registry."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from assess_registry.cli.after import accept_registry_changes_option, signing_keys
from assess_registry.cli.options import index_option, keys_directory, output_option
from assess_registry.cli.signing import (
    load_keys,
    now,
    online_keys_option,
    overrule_clock_option,
    passphrases_option,
    release_keys_option,
)
from assess_registry.console import print_json
from assess_registry.errors import ConfigError
from assess_registry.index.tree import WHEEL_SUFFIX
from assess_registry.keys import KeyRing
from assess_registry.publish import PublishReport, publish
from assess_registry.publish.approved import PublishedRelease, publish_approved
from assess_registry.publish.development import PublishedHere, publish_here
from assess_registry.publish.transaction import ReleaseKeys, transaction
from assess_registry.review.submissions import find_submission
from assess_registry.text import plain, table


@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
    """The command line."""

    targets: tuple[str, ...]
    key_file: Path | None
    keys_dir: Path | None
    closure: Path | None
    release_keys: tuple[Path, ...]
    online_keys: tuple[Path, ...]
    passphrase_files: tuple[Path, ...]
    accept_permissions: bool
    accept_registry_changes: bool
    overrule_clock: bool
    replace_published_bytes: bool
    offer: bool
    root: Path

    def keys(self) -> ReleaseKeys:
        """Those that make something the registry's word."""
        return signing_keys(
            self.release_keys,
            self.online_keys,
            self.passphrase_files,
            offer=self.offer,
            overrule_clock=self.overrule_clock,
        )

    @property
    def is_signed(self) -> bool:
        """Whether it is by the keys that make something the registry's word."""
        return bool(self.release_keys or self.online_keys)


@click.command("publish")
@click.argument("targets", nargs=-1)
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path),
    default=None,
    help="The publisher's private key: publish WHEEL by it alone, for simple clients; nobody approves it.",
)
@click.option(
    "--keys",
    "keys_dir",
    type=click.Path(path_type=Path),
    default=None,
    envvar="ASSESS_KEYS_DIR",
    show_envvar=True,
    help="Development registries: where their keys lie. [default: assess/keys in the user's configuration directory]",
)
@click.option(
    "--closure", type=click.Path(path_type=Path), default=None, help="Directory with the wheels a WHEEL depends on."
)
@release_keys_option
@online_keys_option
@passphrases_option
@click.option(
    "--accept-permissions",
    is_flag=True,
    help="Development registries: you have seen what it asks for beyond the last version.",
)
@accept_registry_changes_option
@overrule_clock_option
@click.option(
    "--offer", is_flag=True, help="Sign with the release keys alone, for `assemble` to take; nothing is published."
)
@click.option("--replace-published-bytes", is_flag=True, help="Development registries only: replace what is published.")
@index_option
@output_option
def command(*, output: str, **given: Any) -> None:
    """Publish what was approved: TARGETS are the submissions of one release, by digest or by filename.

    In a development registry TARGETS may be wheels: they are submitted, audited, approved and published in one go.
    Without TARGETS, what registry.toml says of people, keys and policy is signed and nothing else.

    Publishing the same again changes nothing. Published bytes never change, except in a development registry with
    --replace-published-bytes.
    """
    request = _Request(**given)
    if not request.targets:
        _sign_registry(request, output)
    elif request.is_signed or request.offer:
        _show_release(_release(request), output, offer=request.offer)
    elif request.key_file is not None:
        _show_report(_keys_only(request, request.key_file), output)
    else:
        _show_here(_here(request), output)


def _sign_registry(request: _Request, output: str) -> None:
    with transaction(
        request.root, keys=request.keys(), now=now(), accept_registry_changes=request.accept_registry_changes
    ) as work:
        changes = work.commit({})
        written = tuple(work.tree.written)
    if output == "json":
        print_json({"registry": {"changes": list(changes), "changed": bool(written)}})
        return
    for sentence in changes:
        click.echo(plain(sentence))
    click.echo(f"signed anew: {len(written)} files" if written else "nothing to sign: it is as it was signed", err=True)


def _release(request: _Request) -> PublishedRelease:
    if request.key_file is not None or request.closure is not None:
        raise ConfigError("--key and --closure are for wheels; a submission has its signature and its closure")
    return publish_approved(
        request.root,
        [find_submission(request.root, word).directory for word in request.targets],
        keys=request.keys(),
        now=now(),
        accept_registry_changes=request.accept_registry_changes,
        replace_published=request.replace_published_bytes,
    )


def _keys_only(request: _Request, key_file: Path) -> PublishReport:
    closure = _required_closure(request)
    if len(request.targets) != 1:
        raise ConfigError("--key publishes one wheel at a time")
    (key,) = load_keys([key_file], request.passphrase_files)
    wheel = Path(request.targets[0])
    return publish(request.root, wheel, key=key, closure=closure, replace_published=request.replace_published_bytes)


def _here(request: _Request) -> PublishedHere:
    if strange := [target for target in request.targets if not target.endswith(WHEEL_SUFFIX)]:
        raise ConfigError(f"{strange[0]}: no wheel; for a submission give --release-key and --online-key")
    return publish_here(
        request.root,
        [Path(target) for target in request.targets],
        ring=KeyRing(keys_directory(request.keys_dir)),
        closure=_required_closure(request),
        now=now(),
        accept_permissions=request.accept_permissions,
        overrule_clock=request.overrule_clock,
        accept_registry_changes=request.accept_registry_changes,
        replace_published=request.replace_published_bytes,
    )


def _required_closure(request: _Request) -> Path:
    if request.closure is None:
        raise ConfigError("--closure: a directory with the wheels that it depends on is needed")
    return request.closure


def _show_here(done: PublishedHere, output: str) -> None:
    for each in done.submitted:
        for reason in each.report.reasons:
            click.echo(f"audit: {plain(reason)}", err=True)
    for filename in done.reviewed:
        click.echo(f"{plain(filename)}: approved by this machine's own reviewer: a development registry", err=True)
    _show_release(done.release, output, development=True)


def _show_release(release: PublishedRelease, output: str, *, development: bool = False, offer: bool = False) -> None:
    for sentence in release.control:
        click.echo(f"registry: {plain(sentence)}", err=True)
    for lock in release.stale:
        click.echo(f"warning: {plain(lock)} names replaced bytes: publish that plugin again", err=True)
    approved = [str(approval) for approval in release.approvals]
    if output == "json":
        document = {
            "project": release.project,
            "version": release.version,
            "wheels": list(release.wheels),
            "publisher": release.publisher,
            "approvals": approved,
            "closure": list(release.closure),
            "published_at": release.published_at.isoformat(),
            "replaced": list(release.replaced),
            "stale": list(release.stale),
            "written": list(release.written),
            "changed": bool(release.written),
            "development": development,
        }
        print_json({"offered" if offer else "published": document})
        return
    rows = [
        ("plugin", f"{release.project} {release.version}"),
        ("publisher", release.publisher),
        *(("wheel", filename) for filename in release.wheels),
        *(("approval", text) for text in dict.fromkeys(approved)),
        *(("with", filename) for filename in release.closure),
        *(("replaced", filename) for filename in release.replaced),
        ("registry", "development" if development else ""),
        ("changed", _changed(release.written)),
    ]
    click.echo(table(("OFFERED" if offer else "PUBLISHED", ""), [row for row in rows if row[1]]), nl=False)


def _show_report(report: PublishReport, output: str) -> None:
    for lock in report.stale:
        click.echo(f"warning: {plain(lock)} names replaced bytes: publish that plugin again", err=True)
    if output == "json":
        print_json({"published": asdict(report) | {"changed": bool(report.written)}})
        return
    rows = [
        ("plugin", f"{report.project} {report.version}"),
        ("wheel", report.filename),
        ("sha256", report.sha256),
        ("signed by", report.signer),
        ("approval", "none: for simple clients, which know publishers' keys alone"),
        ("lock", f"sha256:{report.lock_sha256}"),
        *(("with", filename) for filename in report.closure),
        *(("replaced", filename) for filename in report.replaced),
        ("changed", _changed(report.written)),
    ]
    click.echo(table(("PUBLISHED", ""), rows), nl=False)


def _changed(written: Sequence[str]) -> str:
    return f"{len(written)} files" if written else "nothing, it was published already"

"""`assess-registry root init | propose | show`: who may sign what, as the next root will say."""

from pathlib import Path
from typing import Any

import click

from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.signing import now
from assess_registry.config import IndexConfig, load_config
from assess_registry.console import VerbGroup, print_json
from assess_registry.control import Publishers
from assess_registry.errors import ConfigError
from assess_registry.keys import PublicKey, load_public_key
from assess_registry.repository.ceremony import Changes, Proposal, propose, waiting
from assess_registry.repository.describe import describe_proposal, describe_root, root_document
from assess_registry.repository.keys import keys_of
from assess_registry.repository.state import read_roots
from assess_registry.text import plain

_path = click.Path(path_type=Path)
_release_threshold = click.option("--release-threshold", type=int, default=None, help="How many release keys sign.")


@click.group("root", cls=VerbGroup)
def command() -> None:
    """Say who may sign: the root of trust, proposed here and signed elsewhere."""


@command.command("init")
@click.option("--root-key", "root_keys", type=_path, multiple=True, required=True, help="A root key's .pub file.")
@click.option("--threshold", type=int, default=2, show_default=True, help="How many root keys have to sign.")
@click.option("--release-key", "release_keys", type=_path, multiple=True, required=True, help="A release key's .pub.")
@_release_threshold
@click.option("--online-key", "online_keys", type=_path, multiple=True, required=True, help="The online key's .pub.")
@click.option("--replace", is_flag=True, help="Give up a root that waits already, with the signatures it has.")
@index_option
@output_option
def init(
    *,
    root_keys: tuple[Path, ...],
    threshold: int,
    release_keys: tuple[Path, ...],
    release_threshold: int | None,
    online_keys: tuple[Path, ...],
    replace: bool,
    root: Path,
    output: str,
) -> None:
    """Propose the first root. It waits for signatures; carry its bytes to the root keys with `sign export`."""
    config = load_config(root)
    if read_roots(root):
        raise ConfigError(f"{root}: has a root already; change it with: assess-registry root propose")
    changes = Changes(
        root_keys=_public(root_keys),
        root_threshold=threshold,
        release_keys=_public(release_keys),
        release_threshold=release_threshold,
        online_keys=_public(online_keys),
    )
    _check_apart(config, changes)
    _print(propose(root, changes, now=now(), expiry=config.expiry, replace=replace), output)


@command.command("propose")
@click.option("--root-key", "root_keys", multiple=True, help="All root keys from now on: .pub files or ids.")
@click.option("--threshold", type=int, default=None, help="How many root keys have to sign from now on.")
@click.option("--release-key", "release_keys", multiple=True, help="All release keys from now on.")
@_release_threshold
@click.option("--online-key", "online_keys", multiple=True, help="All online keys from now on.")
@click.option("--replace", is_flag=True, help="Give up a root that waits already, with the signatures it has.")
@index_option
@output_option
def propose_next(
    *,
    root_keys: tuple[str, ...],
    threshold: int | None,
    release_keys: tuple[str, ...],
    release_threshold: int | None,
    online_keys: tuple[str, ...],
    replace: bool,
    root: Path,
    output: str,
) -> None:
    """Propose the next root: what is not named stays, and without options it is the same for another year.

    Keys that stay may be named by their id, `sha256:…`.
    """
    config, roots = load_config(root), read_roots(root)
    if not roots:
        raise ConfigError(f"{root}: has no root yet; begin with: assess-registry root init")
    known = {key.id: key for role in roots[-1].signed.roles for key in keys_of(roots[-1].signed, role)}
    changes = Changes(
        root_keys=_named(root_keys, known, "--root-key"),
        root_threshold=threshold,
        release_keys=_named(release_keys, known, "--release-key"),
        release_threshold=release_threshold,
        online_keys=_named(online_keys, known, "--online-key"),
    )
    _check_apart(config, changes)
    _print(propose(root, changes, now=now(), expiry=config.expiry, replace=replace), output)


@command.command("show")
@index_option
@output_option
def show(*, root: Path, output: str) -> None:
    """Show who may sign now, and the root that waits for signatures, if one does."""
    roots, proposal = read_roots(root), waiting(root)
    if not roots and proposal is None:
        raise ConfigError(f"{root}: has no root yet; begin with: assess-registry root init")
    if output == "json":
        newest = root_document(roots[-1].signed) if roots else None
        print_json({"root": newest, "waiting": _document(proposal) if proposal else None})
        return
    if roots:
        click.echo(describe_root(roots[-1].signed), nl=False)
    if proposal:
        click.echo(describe_proposal(proposal), nl=False)


def _print(proposal: Proposal, output: str) -> None:
    if output == "json":
        print_json({"waiting": _document(proposal)})
        return
    click.echo(describe_proposal(proposal), nl=False)
    click.echo("next: assess-registry sign export, then have the bytes signed", err=True)


def _document(proposal: Proposal) -> dict[str, Any]:
    signatures = [
        {
            "by": f"root {count.version}",
            "threshold": count.threshold,
            "signed": list(count.signed),
            "unsigned": list(count.unsigned),
        }
        for count in proposal.counts
    ]
    return root_document(proposal.root) | {"signatures": signatures, "complete": proposal.complete}


def _public(paths: tuple[Path, ...]) -> tuple[PublicKey, ...]:
    return tuple(_load(path) for path in paths)


def _load(path: Path) -> PublicKey:
    try:
        return load_public_key(path)
    except OSError as error:
        raise ConfigError(f"{plain(path)}: the public key cannot be read: {error.strerror}") from error


def _named(given: tuple[str, ...], known: dict[Any, PublicKey], option: str) -> tuple[PublicKey, ...] | None:
    if not given:
        return None
    found = []
    for each in given:
        if each.startswith("sha256:"):
            if each not in known:
                raise ConfigError(f"{option}: {plain(each)} is no key of the newest root; name its .pub file")
            found.append(known[each])
        else:
            found.append(_load(Path(each)))
    return tuple(found)


def _check_apart(config: IndexConfig, changes: Changes) -> None:
    """Nobody in `registry.toml` holds a key that would sign metadata: clients would refuse the whole registry.

    Raises:
        TrustError: step `keys`; somebody does.
    """
    named = (("root", changes.root_keys), ("release", changes.release_keys), ("online", changes.online_keys))
    Publishers.from_config(config).check_apart((use, key) for use, keys in named for key in keys or ())

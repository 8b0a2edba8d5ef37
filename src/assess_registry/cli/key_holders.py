"""`assess-registry keys add | rotate | revoke`: whose keys a registry believes, by editing `registry.toml`."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar, get_args

import click

from assess_registry.canonical import parse_text, parse_time, write_time
from assess_registry.cli.options import index_option
from assess_registry.cli.signing import now
from assess_registry.config import CONFIG_NAME, load_config, parse_config
from assess_registry.config.edit import Holder, HolderRole, add_key, end_key, find_key, keys_of
from assess_registry.config.rewrite import rewrite_config
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import file_lock
from assess_registry.index.create import INDEX_LOCK_NAME
from assess_registry.keys import KeyId, PublicKey, TimedKey, check_distinct, load_public_key, parse_key_id
from assess_registry.text import plain

LOCK_TIMEOUT_S = 30.0

T = TypeVar("T")

_ROLE_OF_TUF = {"root": "root", "targets": "release", "snapshot": "online", "timestamp": "online"}

_holder_role = click.option(
    "--role",
    type=click.Choice(get_args(HolderRole)),
    required=True,
    help="What the key is for. Root, release and online keys are named in `root propose`.",
)


@click.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@_holder_role
@click.option("--name", default="", help="Whose key it is; not for the audit.")
@click.option(
    "--project", "projects", multiple=True, help="Of a new publisher: a pattern of their projects, repeatable."
)
@click.option(
    "--approvals",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Of a new publisher: reviewers needed.",
)
@index_option
def add(*, file: Path, role: HolderRole, name: str, projects: tuple[str, ...], approvals: int, root: Path) -> None:
    """Believe the key in FILE, a .pub file, from now on: writes it into registry.toml, which is signed next time."""
    holder, key = Holder(role=role, name=name), _load_public(file)
    _require_unused(root, holder, key)

    def change(text: str, source: str, time: datetime) -> str:
        timed = TimedKey(key=key, valid_from=time)
        return add_key(text, holder, timed, source=source, projects=projects, approvals=approvals)

    time = _edit(root, change)
    click.echo(key.id)
    _said(root, f"{holder} has this key from {write_time(time)} on")


@click.command("rotate")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@_holder_role
@click.option("--old", "old_id", default=None, help="Id of the key that is replaced, if NAME has several.")
@index_option
def rotate(*, name: str, file: Path, role: HolderRole, old_id: str | None, root: Path) -> None:
    """Replace the key of NAME by the one in FILE, a .pub file, from now on.

    What was published with the old key stays valid. For the audit's key, NAME is `audit`.
    """
    holder, key = Holder(role=role, name="" if role == name == "audit" else name), _load_public(file)
    _require_unused(root, holder, key)

    def change(text: str, source: str, time: datetime) -> str:
        config = parse_config(text.encode(), source=source)
        valid = [timed for owner, timed in keys_of(config) if owner == holder and timed.valid_at(time)]
        ended = end_key(text, _one_of(valid, holder, old_id, source), time, source=source)
        return add_key(ended, holder, TimedKey(key=key, valid_from=time), source=source)

    time = _edit(root, change)
    click.echo(key.id)
    _said(root, f"{holder} has this key in place of the old one from {write_time(time)} on")


@click.command("revoke")
@click.argument("key_id")
@click.option("--reason", required=True, help="Why, for everybody to read.")
@click.option(
    "--since", default=None, help="When it got into wrong hands, as in 2026-11-21T05:10:00Z; now if not given."
)
@index_option
def revoke(*, key_id: str, reason: str, since: str | None, root: Path) -> None:
    """Believe nothing that the key with this id signs, from now on, or since it got into wrong hands.

    What was published with it before stays valid; what was published since is refused by every client.
    """
    known = _parsed("KEY_ID", parse_key_id, key_id)
    why = _parsed("--reason", parse_text, reason)
    lost = None if since is None else _parsed("--since", parse_time, since)
    if lost is not None and lost > now():
        raise ConfigError(f"--since: {since} is in the future; a key is revoked as of now, or of an earlier time")

    def change(text: str, source: str, time: datetime) -> str:
        return end_key(text, known, lost or time, source=source, revoked=why)

    time = _edit(root, change)
    found = find_key(load_config(root), known)
    _said(root, f"{known} is revoked as of {write_time((found and found[1].valid_until) or time)}")


def keys_of_tuf(root: Path) -> list[tuple[str, PublicKey]]:
    """The keys of the registry's current root, and what each is for; none before there is one."""
    from assess_registry.repository.keys import TOP_ROLES  # a tenth of a second
    from assess_registry.repository.keys import keys_of as keys_of_root
    from assess_registry.repository.state import read_roots

    roots = read_roots(root)
    if not roots:
        return []
    found = {(_ROLE_OF_TUF[role], key): None for role in TOP_ROLES for key in keys_of_root(roots[-1].signed, role)}
    return list(found)


def _edit(root: Path, change: Callable[[str, str, datetime], str]) -> datetime:
    """The file is as `change` makes it of its text and the time, which is returned."""
    path = root / CONFIG_NAME
    load_config(root)  # says what is missing or wrong before anything is locked or made
    # The lock of everything that changes the registry, and the time taken inside it: what is being published while we
    # wait has a time before ours, so a key's end never falls before what that key just published.
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        time = now()
        rewrite_config(root, lambda text: change(text, str(path), time))
    return time


def _require_unused(root: Path, holder: Holder, key: PublicKey) -> None:
    """The key signs nothing of the registry's own word: one that is stolen gives one thing and nothing else."""
    try:
        check_distinct([*keys_of_tuf(root), (str(holder), key)])
    except ValueError as error:
        raise TrustError(
            str(error),
            step="keys",
            thing=key.id,
            expected="a key of its own for every role",
            got="a key of the registry's root",
            next_step="have its owner make another: assess-registry keys new NAME --role ROLE",
        ) from error


def _load_public(path: Path) -> PublicKey:
    try:
        return load_public_key(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _one_of(valid: list[TimedKey], holder: Holder, old_id: str | None, source: str) -> KeyId:
    ids = [timed.key.id for timed in valid]
    found = [each for each in ids if old_id in (None, each)]
    if len(found) == 1:
        return found[0]
    hint = "say which with --old" if len(found) > 1 else "keys of a new holder come in with `assess-registry keys add`"
    there = ", ".join(ids) or "none"
    raise ConfigError(f"{source}: expected one valid key of {holder} to replace, there are: {there}; {hint}")


def _parsed(name: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


def _said(root: Path, what: str) -> None:
    click.echo(f"{plain(root / CONFIG_NAME)}: {what}; clients learn of it when the registry is signed next", err=True)

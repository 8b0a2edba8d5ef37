"""`assess-registry keys new | list | add | rotate | revoke`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, get_args

import click

from assess_registry.canonical import parse_text, parse_time, write_time
from assess_registry.cli.options import (
    index_option,
    keys_directory,
    keys_directory_option,
    output_option,
    passphrase_option,
    read_passphrase,
)
from assess_registry.cli.signing import now
from assess_registry.config import CONFIG_NAME, MAX_CONFIG_BYTES, load_config
from assess_registry.config.edit import Holder, HolderRole, add_key, end_key, find_key, keys_of
from assess_registry.console import print_json
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import atomic_write, file_lock, read_bounded
from assess_registry.index.create import INDEX_LOCK_NAME
from assess_registry.keys import (
    PUBLIC_SUFFIX,
    ROLES,
    KeyRing,
    PublicKey,
    RingKey,
    Role,
    TimedKey,
    check_distinct,
    load_public_key,
    parse_key_id,
)
from assess_registry.text import plain, table

LOCK_TIMEOUT_S = 10.0

_ROLE_OF_TUF = {"root": "root", "targets": "release", "snapshot": "online", "timestamp": "online"}

T = TypeVar("T")

_holder_role = click.option(
    "--role",
    type=click.Choice(get_args(HolderRole)),
    required=True,
    help="What the key is for. Root, release and online keys are named in `root propose`.",
)


@click.group("keys")
def command() -> None:
    """Make and list keys; say in registry.toml whose keys count, and since when no more."""


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


@command.command("add")
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
    timed = TimedKey(key=key, valid_from=now())
    _require_unused(root, str(holder), key)
    _edit(root, lambda text, source: add_key(
        text, holder, timed, source=source, projects=projects, approvals=approvals))  # fmt: skip
    click.echo(key.id)
    _said(root, f"{holder} has this key from {write_time(timed.valid_from)} on")


@command.command("rotate")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@_holder_role
@click.option("--old", "old_id", default=None, help="Id of the key that is replaced, if NAME has several.")
@index_option
def rotate(*, name: str, file: Path, role: HolderRole, old_id: str | None, root: Path) -> None:
    """Replace the key of NAME by the one in FILE, a .pub file, from now on.

    What was published with the old key stays valid. For the audit's key, NAME is `audit`.
    """
    holder, key = Holder(role=role, name="" if role == "audit" and name == "audit" else name), _load_public(file)
    time = now()
    _require_unused(root, str(holder), key)

    def change(text: str, source: str) -> str:
        config = load_config(root)
        valid = [timed for owner, timed in keys_of(config) if owner == holder and timed.valid_at(time)]
        old = _one_of(valid, holder, old_id, source)
        ended = end_key(text, old.key.id, time, source=source)
        return add_key(ended, holder, TimedKey(key=key, valid_from=time), source=source)

    _edit(root, change)
    click.echo(key.id)
    _said(root, f"{holder} has this key in place of the old one from {write_time(time)} on")


@command.command("revoke")
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
    time = now() if since is None else _parsed("--since", parse_time, since)
    if time > now():
        raise ConfigError(f"--since: {since} is in the future; a key that shall end later is rotated then")
    why = _parsed("--reason", parse_text, reason)
    _edit(root, lambda text, source: end_key(text, known, time, source=source, revoked=why))
    found = find_key(load_config(root), known)
    end = found[1].valid_until if found else None
    _said(root, f"{known} is revoked as of {write_time(end or time)}")


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
        {"role": role, "name": "", "id": key.id, "public": key.base64(), "valid": True} for role, key in _tuf(root)
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


def _tuf(root: Path) -> list[tuple[str, PublicKey]]:
    """The keys of the registry's current root, and what each is for; none before there is one."""
    from assess_registry.repository.ceremony import keys_of as keys_of_root
    from assess_registry.repository.keys import TOP_ROLES
    from assess_registry.repository.state import read_roots

    roots = read_roots(root)
    if not roots:
        return []
    found = {(_ROLE_OF_TUF[role], key.raw): key for role in TOP_ROLES for key in keys_of_root(roots[-1].signed, role)}
    return [(role, key) for (role, _), key in found.items()]


def _require_unused(root: Path, holder: str, key: PublicKey) -> None:
    """The key signs nothing of the registry's own word: one that is stolen gives one thing and nothing else."""
    try:
        check_distinct([*_tuf(root), (holder, key)])
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


def _one_of(valid: list[TimedKey], holder: Holder, old_id: str | None, source: str) -> TimedKey:
    found = [timed for timed in valid if old_id in (None, timed.key.id)]
    if len(found) == 1:
        return found[0]
    ids = ", ".join(timed.key.id for timed in valid) or "none; add one with: assess-registry keys add"
    raise ConfigError(f"{source}: expected one valid key of {holder} to replace, there are: {ids}"
                      f"{'; say which with --old' if len(found) > 1 else ''}")  # fmt: skip


def _parsed(name: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


def _edit(root: Path, change: Callable[[str, str], str]) -> None:
    path = root / CONFIG_NAME
    load_config(root)  # says what is missing or wrong before anything is locked or made
    # The lock of everything that changes the registry: nobody signs what is about to be something else.
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        mode = path.stat().st_mode & 0o777
        text = read_bounded(path, MAX_CONFIG_BYTES).decode("utf-8")
        atomic_write(path, change(text, str(path)).encode("utf-8"), mode=mode)


def _said(root: Path, what: str) -> None:
    click.echo(f"{plain(root / CONFIG_NAME)}: {what}; clients learn of it when the registry is signed next", err=True)

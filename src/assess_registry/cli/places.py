"""Options of the commands that need no registry of one's own: where an index is, and whose signatures count."""

import hashlib
import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from assess_registry.client import Access, Credentials, RegistryConfig, Target, read_bounded
from assess_registry.client.registry import MAX_ROOT_BYTES
from assess_registry.simple.install import place_url

_FULL_VERSION = re.compile(r"3\.\d{1,3}\.\d{1,3}", re.ASCII)

place_option = click.option(
    "--index",
    metavar="PLACE",
    default="simple-index",
    show_default=True,
    envvar="ASSESS_INDEX",
    show_envvar=True,
    help="Root of the registry: a path, file:///PATH, https://HOST/PATH, or http:// on loopback.",
)

trusted_keys_option = click.option(
    "--trusted-keys",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    envvar="ASSESS_TRUSTED_KEYS",
    show_envvar=True,
    help="Directory of the publishers' *.pub. [default: assess/trusted-keys in the user's configuration directory]",
)


def _target(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Target | None:
    if value is None:
        return None
    if not _FULL_VERSION.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no version of Python in full, for example 3.13.2")
    return Target.here(value)


python_option = click.option(
    "--python",
    "target",
    metavar="VERSION",
    callback=_target,
    help="For this Python of this machine, for example 3.13.2. [default: the one that runs this command]",
)
"""The command gets one `target`."""


def trusted_keys_directory(given: Path | None) -> Path:
    """The directory asked for, else the user's own (XDG base directories)."""
    if given is not None:
        return given
    configuration = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configuration) if configuration else Path.home() / ".config") / "assess" / "trusted-keys"


def access_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what it takes to reach an index behind something; the command gets one `access`."""

    @wraps(command)
    def with_access(*, proxy: str, ca_file: Path | None, user: str, secret_file: Path | None, **others: Any) -> Any:
        return command(access=_access(proxy, ca_file, user, secret_file), **others)

    file = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option("--secret-file", type=file, help="File with the password of --user, or with a token."),
        click.option("--user", default="", help="Whose password it is; without, --secret-file holds a bearer token."),
        click.option("--ca-file", type=file, help="Authorities that may vouch for the host, instead of the system's."),
        click.option("--proxy", default="", help="http://HOST:PORT to tunnel through."),
    ):
        with_access = option(with_access)
    return with_access


def _access(proxy: str, ca_file: Path | None, user: str, secret_file: Path | None) -> Access:
    credentials = None
    if secret_file is not None:
        credentials = Credentials(kind="basic" if user else "bearer", user=user, file=secret_file)
    elif user:
        raise click.UsageError("--user goes with --secret-file, which holds the password")
    return Access(proxy=proxy, ca_file=ca_file, credentials=credentials)


root_option = click.option(
    "--root",
    "root",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    envvar="ASSESS_REGISTRY_ROOT",
    show_envvar=True,
    help="The registry's first root metadata, 1.root.json, from its maintainer by another way than this one.",
)

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="What is remembered of the registry. [default: assess-registry/ROOT'S DIGEST in the user's state directory]",
)


def registry_place(
    index: str, *, root: Path, state: Path | None, development: bool, timeout_s: float, access: Access
) -> RegistryConfig:
    """The registry at a path or URL, trusted by its root."""
    return RegistryConfig(
        url=place_url(index),
        root=root,
        state=state or _own_state(root),
        development=development,
        timeout_s=timeout_s,
        access=access,
    )


def _own_state(root: Path) -> Path:
    """One directory for each root, in the user's state directory (XDG base directories)."""
    states = os.environ.get("XDG_STATE_HOME")
    directory = Path(states) if states else Path.home() / ".local" / "state"
    digest = hashlib.sha256(read_bounded(root, MAX_ROOT_BYTES)).hexdigest()
    return directory / "assess-registry" / digest[:32]

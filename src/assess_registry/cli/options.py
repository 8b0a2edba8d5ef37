"""Options that several commands share."""

import os
from pathlib import Path

import click

from assess_registry.errors import ConfigError
from assess_registry.files import read_bounded

MAX_PASSPHRASE_BYTES = 1024


output_option = click.option(
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Form of what is printed.",
)

index_option = click.option(
    "--index",
    "root",
    type=click.Path(path_type=Path),
    default=Path("simple-index"),
    show_default=True,
    envvar="ASSESS_INDEX",
    show_envvar=True,
    help="Root of the registry.",
)

keys_directory_option = click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=None,
    envvar="ASSESS_KEYS_DIR",
    show_envvar=True,
    help="Where keys lie. [default: assess/keys in the user's configuration directory]",
)

passphrase_option = click.option(
    "--passphrase-file", type=click.Path(path_type=Path), default=None, help="File whose first line unlocks the key."
)


def keys_directory(given: Path | None) -> Path:
    """The directory asked for, else the user's own (XDG base directories)."""
    if given is not None:
        return given
    configuration = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configuration) if configuration else Path.home() / ".config") / "assess" / "keys"


def read_passphrase(path: Path | None) -> bytes | None:
    """The first line of the file, or None where no file was named.

    Raises:
        ConfigError: it cannot be read, or is empty: an empty passphrase protects nothing.
    """
    if path is None:
        return None
    try:
        line = read_bounded(path, MAX_PASSPHRASE_BYTES).split(b"\n", 1)[0].rstrip(b"\r")
    except OSError as error:
        raise ConfigError(f"{path}: the passphrase cannot be read: {error.strerror}") from error
    if not line:
        raise ConfigError(f"{path}: the first line is empty and would protect nothing")
    return line

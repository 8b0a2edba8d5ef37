"""Options of the commands that need no registry of one's own: where an index is, and whose signatures count."""

import os
from pathlib import Path

import click

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


def trusted_keys_directory(given: Path | None) -> Path:
    """The directory asked for, else the user's own (XDG base directories)."""
    if given is not None:
        return given
    configuration = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configuration) if configuration else Path.home() / ".config") / "assess" / "trusted-keys"

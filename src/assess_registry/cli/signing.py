"""Options of commands that sign metadata: registry, keys, passphrases, the time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from assess_registry.cli.options import read_passphrase
from assess_registry.errors import ConfigError
from assess_registry.keys import PrivateKey, load_private_key
from assess_registry.repository.clock import OVERRULE

release_keys_option = click.option(
    "--release-key",
    "release_keys",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A release key, as often as the threshold asks for.",
)

online_keys_option = click.option(
    "--online-key",
    "online_keys",
    type=click.Path(path_type=Path),
    multiple=True,
    help="The online key; while it is exchanged, the old one, too.",
)

overrule_clock_option = click.option(
    OVERRULE,
    "overrule_clock",
    is_flag=True,
    help="Sign also what bears an earlier time or end than what is signed; you know why.",
)

passphrases_option = click.option(
    "--passphrase-file",
    "passphrase_files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="File whose first line unlocks a key; one for each passphrase there is.",
)


def load_keys(paths: Sequence[Path], passphrase_files: Sequence[Path]) -> list[PrivateKey]:
    """The keys in these files, each unlocked by the passphrase that fits.

    Raises:
        ConfigError: no passphrase fits, or a file is no key.
        TrustError: others can read one.
    """
    passphrases = [read_passphrase(path) for path in passphrase_files]
    return [_load(path, [*passphrases, None]) for path in paths]


def _load(path: Path, passphrases: Sequence[bytes | None]) -> PrivateKey:
    problems = []
    for passphrase in passphrases:
        try:
            return load_private_key(path, passphrase=passphrase)
        except ConfigError as error:
            problems.append(error)
    raise problems[0]


def now() -> datetime:
    """The time from which expiry counts."""
    return datetime.now(UTC)

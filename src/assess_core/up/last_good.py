"""The configuration that was followed last, kept for a start at which the file is none.

A bad edit changes nothing in a runtime that runs. This is so that it changes nothing either when the machine is started
again before somebody has repaired it: `<state>/last-good.toml`, byte for byte what was followed, for its owner alone.
Paths in it are relative to where it was read, not to where the copy lies.
"""

from pathlib import Path

from assess_core.config import MAX_BYTES, Config, load, parse
from assess_core.errors import ConfigError
from assess_registry.client import ConfigError as FileRefused
from assess_registry.client import TrustError, atomic_write, read_bounded, read_guarded

NAME = "last-good.toml"


class Source:
    """A configuration file, and the copy of what of it was followed last.

    Args:
        path: the file.
        state: the state directory, where the copy lies.
    """

    def __init__(self, path: Path, state: Path) -> None:
        self.path = path
        self.copy = state / NAME
        self._instead: Config | None = None

    def load(self) -> Config:
        """The configuration as it is in the file now, or once what was asked for instead.

        Raises:
            ConfigError, TrustError: as `config.load`.
        """
        instead, self._instead = self._instead, None
        return load(self.path) if instead is None else instead

    def last_good(self) -> Config | None:
        """What was followed last; None when nothing is kept, or what is kept is none any more."""
        try:
            data = read_guarded(self.copy, MAX_BYTES, step="configuration", decides="what is configured")
            return parse(data, self.path)
        except (OSError, ConfigError, FileRefused, TrustError):
            return None

    def instead(self, config: Config) -> None:
        """The next `load` gives this."""
        self._instead = config

    def keep(self, config: Config) -> bool:
        """This was followed: what the file holds is kept, if it is that still; whether it is.

        Raises:
            OSError: it cannot be read or written.
        """
        try:
            data = read_bounded(self.path, MAX_BYTES)
            if parse(data, self.path) != config:
                return False
        except (FileNotFoundError, ConfigError, FileRefused):  # another edit has come, which is followed or refused
            return False
        try:
            if read_bounded(self.copy, MAX_BYTES) == data:
                return True
        except FileNotFoundError:
            pass
        atomic_write(self.copy, data, mode=0o600)
        return True

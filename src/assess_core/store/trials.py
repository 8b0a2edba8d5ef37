"""Versions that took another's place and have not answered one call yet: an empty file for each, by its environment.

    trials = Trials(state / "trials")
    trials.begin(env_key)       before it serves
    trials.end(env_key)         after its first good call
    trials.holds(env_key)       whether it is on trial still

Such a version is left again for the one before it when it is quarantined (`fallback.py`). One without a file has proven
itself, or nothing served before it. Without the store's lock: whoever made the first good call does not wait for
somebody who installs, and a file of its own for each environment needs none.
"""

import os
from pathlib import Path

from assess_core.errors import StoreError
from assess_registry.client import sync_directory


class Trials:
    """Those of one state directory; `directory` need not exist before the first begins."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def begin(self, env_key: str) -> None:
        """It is on trial, also after a crash.

        Raises:
            OSError: no room, no right.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(self._directory / env_key, flags, 0o600))
        sync_directory(self._directory)

    def holds(self, env_key: str) -> bool:
        """Whether it is on trial."""
        return os.path.lexists(self._directory / env_key)

    def end(self, env_key: str) -> None:
        """It is on trial no more, also after a crash.

        Raises:
            StoreError: that cannot be written.
        """
        path = self._directory / env_key
        try:
            path.unlink()
            sync_directory(self._directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{path}: cannot be removed: {error.strerror or error}") from error

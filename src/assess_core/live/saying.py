"""What the log says of following a change: once for as long as it is so, however often it is met."""

import logging
from collections import deque

from assess_core.delivery.values import Action, Synced
from assess_core.errors import AssessError, ConfigError
from assess_registry.client import ConfigError as RegistryConfigError
from assess_registry.client import TrustError

_log = logging.getLogger(__name__)

MAX_SAID = 100
"""Mistakes that are remembered as said: the text of one may be another one at each look."""


class RefusedError(AssessError):
    """It is not followed, and what runs goes on."""


class Saying:
    """What was said already."""

    def __init__(self) -> None:
        self._said: deque[str] = deque(maxlen=MAX_SAID)
        self._told: set[tuple[str, Action, str]] = set()

    @property
    def remembered(self) -> int:
        """How many mistakes are not said again."""
        return len(self._said)

    def forget(self) -> None:
        """Nothing is wrong any more, which is said, and so is what is wrong next."""
        if self._said:  # whoever put back what was there before would hear nothing: nothing else changes
            _log.info("what was wrong is mended: followed is what is configured", extra={"action": "config-mended"})
        self._said.clear()

    def refused(self, error: Exception) -> str:
        """Why what runs goes on as it was; logged once for as long as that is so."""
        said = str(error)
        if said not in self._said:
            self._said.append(said)
            ours = isinstance(error, ConfigError | RegistryConfigError | TrustError | RefusedError)
            action = "config-refused" if ours else "reload-failed"
            _log.error("what runs goes on as it was: %s", said, extra={"action": action})
        return said

    def synced(self, synced: tuple[Synced, ...]) -> None:
        """What was done about each plugin, and what went wrong with it: once for as long as that is so."""
        wrong = {(line.distribution, line.action, line.reason) for line in synced if line.reason}
        for line in synced:
            what = (line.distribution, line.action, line.reason)
            if what in wrong - self._told:
                extra = {"action": f"sync-{line.action}", "distribution": line.distribution}
                _log.warning("%s: %s: %s", *what, extra=extra)
            elif line.action in (Action.INSTALLED, Action.UPGRADED, Action.REMOVED):
                extra = {"action": f"sync-{line.action}", "distribution": line.distribution}
                _log.info("%s %s: %s", line.distribution, line.version or line.previous, line.action, extra=extra)
        self._told = wrong

"""What was revoked is not given to assessments any more; revoked with `kill`, it is ended where it runs."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from assess_core.assessing.plan import callees_of, without
from assess_core.live.doubts import Doubts
from assess_core.live.underway import Underway
from assess_core.store import InstalledPlugin
from assess_registry.client import RevokedError, TrustError

_log = logging.getLogger(__name__)


class Revoking:
    """What is revoked by what is known of the registry, and what was done about it."""

    def __init__(self, underway: Underway, doubts: Doubts) -> None:
        self._underway = underway
        self._doubts = doubts
        self._heeded: dict[str, bool] = {}
        """Environments that are used still and must not be: whether they were ended for it."""

    async def heed(self) -> None:
        """What is revoked by what is known of the registry now is given to nobody, and ended if that is to be."""
        refusals = await self._underway.beside(partial(self._refusals, self._underway.serving.alive))
        found = [pair for pair in refusals if self._heeded.get(pair[0].env_key) != _kills(pair[1])]
        self._heeded = {installed.env_key: _kills(error) for installed, error in refusals}
        self._doubts.forget()
        await self.act_on(found)

    async def act_on(self, found: Sequence[tuple[InstalledPlugin, TrustError]]) -> None:
        """These are given to nobody any more, from this moment on, and have ended if that is to be."""
        underway, fleet = self._underway, self._underway.serving
        if not found:
            return
        if underway.planned is not None:
            used = callees_of(underway.planned.tasks)
            why = {installed.env_key: _reason(error) for installed, error in found}
            missing = {
                each.installed.distribution: why[each.installed.env_key]
                for each in used
                if each.installed.env_key in why
            }
            underway.planned = replace(underway.planned, tasks=without(underway.planned.tasks, missing))
        for installed, error in found:
            if not _kills(error):  # dropped, those that nobody has would be asked to go, and given time for it
                fleet.drop(installed.env_key)
        for installed, error in found:
            action = "revoked-killed" if _kills(error) else "revoked-retired"
            _log.error("%s", error, extra={"action": action, "distribution": installed.distribution})
        await asyncio.gather(
            *(fleet.kill(installed.env_key, _reason(error)) for installed, error in found if _kills(error))
        )

    def _refusals(self, running: tuple[InstalledPlugin, ...]) -> list[tuple[InstalledPlugin, TrustError]]:
        found = ((plugin, self._underway.runtime.vouching.known_refusal_of(plugin)) for plugin in running)
        return [(plugin, refusal) for plugin, refusal in found if refusal is not None]


def _kills(error: TrustError) -> bool:
    return isinstance(error, RevokedError) and error.kills


def _reason(error: TrustError) -> str:
    return f"revoked: {error.reason}" if isinstance(error, RevokedError) else error.what

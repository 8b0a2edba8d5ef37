"""What serves since the start although nobody has looked yet whether it was revoked, until somebody has.

doubts.begin(installed)             these serve at once
await doubts.settle(env_keys)       of these it is known now, by what is remembered of the registry
doubts.of(env_keys)                 which of them may not serve by that, which may be told anew
doubts.forget()                     the registry was asked itself: there are none any more
"""

import asyncio
from collections.abc import Collection, Iterable
from functools import partial

from assess_core.host.aside import aside
from assess_core.live.underway import Underway
from assess_core.store import InstalledPlugin
from assess_registry.client import TrustError


class Doubts:
    """Of what is known of environments, what nobody has made sure of."""

    def __init__(self, underway: Underway) -> None:
        self._underway = underway
        self._unasked: dict[str, InstalledPlugin] = {}
        self._doubted: dict[str, tuple[InstalledPlugin, TrustError]] = {}
        """What may not serve by what is remembered, which may be told anew."""
        self._asking: asyncio.Task[None] | None = None

    def begin(self, installed: Iterable[InstalledPlugin]) -> None:
        """Nobody was asked about these."""
        self._unasked = {plugin.env_key: plugin for plugin in installed}

    def forget(self) -> None:
        """All that could be asked was."""
        self._unasked.clear()
        self._doubted.clear()

    def are_open(self, env_keys: Collection[str]) -> bool:
        """Whether nobody was asked about one of these."""
        return not self._unasked.keys().isdisjoint(env_keys)

    def of(self, env_keys: Collection[str]) -> tuple[str, ...]:
        """Those of them that may not serve by what is remembered."""
        return tuple(key for key in env_keys if key in self._doubted)

    def believe(self, env_keys: Iterable[str]) -> list[tuple[InstalledPlugin, TrustError]]:
        """What speaks against these, which is no doubt any more."""
        return [self._doubted.pop(key) for key in env_keys]

    async def settle(self, env_keys: Collection[str]) -> None:
        """Of each of these it is known whether it may serve by what is remembered of the registry.

        Not in the thread that may be waiting for the registry.
        """
        while self._asking is not None and not self._asking.done():
            await asyncio.wait([self._asking])
        asked = [self._unasked[key] for key in env_keys if key in self._unasked]
        if asked and not self._underway.stopping:
            self._asking = asyncio.get_running_loop().create_task(self._ask(asked))
            await asyncio.shield(self._asking)

    async def _ask(self, asked: list[InstalledPlugin]) -> None:
        refused = await aside(partial(self._underway.runtime.vouching.refusals_by_memory, asked))
        # What follows a change may have asked meanwhile, and what it found is newer.
        self._doubted |= {pair[0].env_key: pair for pair in refused if pair[0].env_key in self._unasked}
        for plugin in asked:
            self._unasked.pop(plugin.env_key, None)

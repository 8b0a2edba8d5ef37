"""How workers are started and how long anything may take. Names and meanings: docs/wire.md, "Deadlines"."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assess_core.store import InstalledPlugin, Interpreter

Isolation = Literal["required", "wanted", "off"]
"""Of workers. `required`: one that cannot be isolated does not start. `wanted`: it starts nevertheless where the kernel
lacks the means. `off`: none is isolated."""


KitSource = Callable[[Interpreter], Path]
"""Says which directory holds what workers of an interpreter take from the runtime; called from any thread."""


StartWorkers = Literal["fork", "spawn"]
"""`fork`: isolated workers of one interpreter are forked from a prepared parent, from the second on. `spawn`: each is a
program of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostConfig:
    """Values that every worker of a runtime shares.

    Attributes:
        kits: where the runtime's `assess_plugin` and `_assess_pluggy` lie for an interpreter; builds them there first.
        scratch_root: existing directory; each worker gets a private one below it, removed when the worker has ended.
        private: what no plugin is shown, whatever it may read: the state directory, keys, configuration.
        start_timeout_s: from spawning to `loaded`, plugin imports included.
        stop_timeout_s: from `shutdown` to the process's exit.
        kill_after_s: from SIGTERM to SIGKILL.
        isolation: whether workers are isolated, and what if they cannot be.
        start_workers: how.
        before_start: called in a thread before each worker; what it raises, a `StoreError` or a `TrustError`, refuses
            the start.
    """

    kits: KitSource
    scratch_root: Path
    private: tuple[Path, ...] = ()
    start_timeout_s: float = 15.0
    stop_timeout_s: float = 5.0
    kill_after_s: float = 1.0
    isolation: Isolation = "required"
    start_workers: StartWorkers = "fork"
    before_start: Callable[[InstalledPlugin], None] = lambda _: None

    def kit_of(self, installed: InstalledPlugin) -> Path:
        """The runtime's code for workers of this plugin, which is first on their `sys.path`.

        Raises:
            StoreError: there is none for its interpreter, and none could be built.
            TrustError: step `state`; somebody else can change where they are kept.
        """
        return self.kits(installed.interpreter)

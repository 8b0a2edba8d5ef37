"""How workers are started and how long anything may take. Names and meanings: docs/wire.md, "Deadlines"."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Isolation = Literal["required", "wanted", "off"]
"""Of workers. `required`: one that cannot be isolated does not start. `wanted`: it starts nevertheless where the kernel
lacks the means. `off`: none is isolated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostConfig:
    """Values that every worker of a runtime shares.

    Attributes:
        kit: directory that holds the runtime's `assess_plugin` and `_assess_pluggy` for the plugins' interpreter.
        scratch_root: existing directory; each worker gets a private one below it, removed when the worker has ended.
        private: what no plugin is shown, whatever it may read: the state directory, keys, configuration.
        start_timeout_s: from spawning to `loaded`, plugin imports included.
        stop_timeout_s: from `shutdown` to the process's exit.
        kill_after_s: from SIGTERM to SIGKILL.
        isolation: whether workers are isolated, and what if they cannot be.
    """

    kit: Path
    scratch_root: Path
    private: tuple[Path, ...] = ()
    start_timeout_s: float = 15.0
    stop_timeout_s: float = 5.0
    kill_after_s: float = 1.0
    isolation: Isolation = "required"

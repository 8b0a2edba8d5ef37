"""A worker's limits as numbers to compare with, and what is said when one is exceeded. No I/O here.

bounds.excess(usage, cpu_limit_s=60.0)
-> Excess(key="memory_mib", used="271 MiB of memory", limit=256)
"""

from dataclasses import dataclass

from assess_registry.client import Limits

MIB = 1 << 20

CLOCK_SLACK_S = 0.02
"""The kernel counts a process's time in ticks of 10 ms, user's and system's apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a worker uses, at one look.

    Attributes:
        cpu_s: since it began to count: of a call, since that.
        scratch_bytes: as far as it was counted, which is as far as there was reason to.
        unmeasurable: why nothing can be said about its scratch directory; empty mostly.
    """

    memory_bytes: int = 0
    cpu_s: float = 0.0
    threads: int = 0
    descriptors: int = 0
    scratch_bytes: int = 0
    unmeasurable: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Excess:
    """A limit that a worker went beyond.

    Attributes:
        key: below `limits` in its manifest.
        used: how much of what, for people.
        limit: what stands in the manifest, or what holds because nothing stands there.
    """

    key: str
    used: str
    limit: float

    def words(self, whose: str) -> str:
        """What it used, and where that is changed."""
        return f"it used {self.used}; {place(self.key, self.limit, whose)}"


def place(key: str, limit: float, whose: str) -> str:
    """Where a limit is written: `limits.memory_mib = 256 in assess-plugin.toml of NAME`."""
    return f"limits.{key} = {limit:g} in assess-plugin.toml of {whose}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The limits of one worker, from its manifest."""

    limits: Limits

    @property
    def scratch_bytes(self) -> int:
        """Beyond which nothing in the scratch directory needs to be counted any more."""
        return self.limits.scratch_mib * MIB

    def excess(self, usage: Usage, *, cpu_limit_s: float) -> Excess | None:
        """The first limit that this is beyond."""
        limits = self.limits
        if usage.memory_bytes > limits.memory_mib * MIB:
            return _sized("memory_mib", usage.memory_bytes, "memory", limits.memory_mib)
        if usage.cpu_s > cpu_limit_s + CLOCK_SLACK_S:
            return Excess(key="cpu_s", used=f"{usage.cpu_s:.1f} s of processor time", limit=cpu_limit_s)
        if usage.threads > limits.threads:
            return Excess(key="threads", used=f"{usage.threads} threads", limit=limits.threads)
        if usage.descriptors > limits.descriptors:
            return Excess(key="descriptors", used=f"{usage.descriptors} descriptors", limit=limits.descriptors)
        if usage.scratch_bytes > self.scratch_bytes:
            return _sized("scratch_mib", usage.scratch_bytes, "scratch space or more", limits.scratch_mib)
        if usage.unmeasurable:
            used = f"scratch space that cannot be measured, {usage.unmeasurable}"
            return Excess(key="scratch_mib", used=used, limit=limits.scratch_mib)
        return None


def _sized(key: str, used: int, what: str, limit: int) -> Excess:
    """In MiB, rounded up: what is beyond 64 MiB is never said to be 64 MiB."""
    return Excess(key=key, used=f"{-(-used // MIB)} MiB of {what}", limit=limit)

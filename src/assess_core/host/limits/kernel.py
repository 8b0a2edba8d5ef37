"""What the kernel enforces of a manifest's limits, by itself and at once: the worker's rlimits.

    kernel_limits(Limits(memory_mib=256), own_user=True)["RLIMIT_NOFILE"]    ->    256

They fail the call that asks for too much - `MemoryError`, `OSError` - where the watch, which looks later and exactly,
ends the worker. So each is where the watch's bound is, or above it where the kernel counts more than what is used.
"""

import resource

from assess_registry.client import Limits

MIB = 1 << 20

DATA_HEADROOM_MIB = 96
"""Writable private memory that is mapped and never touched. Measured, mapped less resident: numpy with one thread 64
(the buffer of its BLAS), requests 4, pydantic, lxml, cryptography, ssl and sqlite 1 or less; malloc's arenas of 32
threads 60 more than their stacks."""

STACK_MIB = 8
"""Of the first thread. glibc gave the others the same before anybody could say otherwise: what stood in RLIMIT_STACK
when the interpreter was executed; without a limit it gives 2."""

_PENDING_SIGNALS = 256
"""As many timers can be made."""


def kernel_limits(limits: Limits, *, own_user: bool) -> dict[str, int]:
    """`RLIMIT_*` -> the most that a worker may have, soft and hard.

    Not RLIMIT_AS: what is merely reserved - 64 MiB for each arena of malloc - costs nothing. Not RLIMIT_CPU: it counts
    the life of a process, which serves many calls.

    Args:
        limits: of its manifest.
        own_user: no other process has the worker's user id, so that what is counted for a user counts the worker.
    """
    stacks_mib = max(STACK_MIB, _inherited_stack_mib()) * limits.threads
    found = {
        "RLIMIT_DATA": (limits.memory_mib + DATA_HEADROOM_MIB + stacks_mib) * MIB,
        "RLIMIT_STACK": STACK_MIB * MIB,
        "RLIMIT_FSIZE": limits.scratch_mib * MIB,
        "RLIMIT_NOFILE": limits.descriptors,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_NICE": 0,
        "RLIMIT_RTPRIO": 0,
    }
    if own_user:
        found |= {"RLIMIT_NPROC": limits.threads, "RLIMIT_SIGPENDING": _PENDING_SIGNALS}
    return found


def _inherited_stack_mib() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return 0 if soft == resource.RLIM_INFINITY else -(-soft // MIB)

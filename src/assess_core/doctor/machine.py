"""What the machine gives: descriptors, user ids, rights."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from assess_core.doctor.values import Line
from assess_core.host.identities import IdentityError, lease
from assess_core.runtime import Runtime

DESCRIPTORS_EACH, DESCRIPTORS_OWN = 8, 64
"""Files that the runtime holds open for each worker (measured: 7), and for itself."""

CAP_SYS_PTRACE = 19


def lines(runtime: Runtime) -> Iterator[Line]:
    """Whether there is enough for a worker of every plugin."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # it raises the soft one itself
    room = (hard - DESCRIPTORS_OWN) // DESCRIPTORS_EACH
    wanted = sum(entry.workers for entry in runtime.config.plugins)
    text = f"{hard} open files: enough for {room} workers"
    if room < wanted:
        fix = f"raise it to {DESCRIPTORS_OWN + wanted * DESCRIPTORS_EACH} or more (LimitNOFILE= of the service)"
        yield Line(topic="machine", state="fail", text=f"{text}, and {wanted} are configured", fix=fix)
    else:
        yield Line(topic="machine", state="ok", text=text)
    if os.geteuid() != 0 or runtime.config.runtime.run_plugins_without_isolation:
        return
    try:
        lease().release()
        yield Line(topic="machine", state="ok", text="user ids of no account can be locked for workers")
    except IdentityError as error:
        yield Line(topic="machine", state="fail", text=str(error), fix="do what it says, and ask again")
    if not _has(CAP_SYS_PTRACE):
        fix = "give it to the runtime (CapabilityBoundingSet=), or run it as an ordinary user"
        text = "CAP_SYS_PTRACE is missing: what a worker of another user holds open cannot be seen"
        yield Line(topic="machine", state="warn", text=text, fix=fix)


def _has(capability: int) -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    held = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(held, 16) >> capability & 1)

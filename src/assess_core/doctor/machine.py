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

CAP_SYS_PTRACE, CAP_SYS_NICE = 19, 23

_AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")
_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


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
    yield _processor()
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


def _processor() -> Line:
    """What keeps a plugin that computes in many threads from the others (docs/limits.md, "The processor")."""
    if _is_grouped_by_session():
        return Line(topic="machine", state="ok", text="the kernel shares the processor between workers (autogroup)")
    text = "the kernel shares the processor between threads, not between workers: autogroup does not apply here"
    if os.geteuid() != 0 or _has(CAP_SYS_NICE):
        return Line(topic="machine", state="ok", text=f"{text}; those of a worker that has many are made nicer")
    text = f"{text}, and CAP_SYS_NICE is missing: one plugin with many threads can make the others wait"
    fix = "give it to the runtime (CapabilityBoundingSet=, --cap-add SYS_NICE), or run it as an ordinary user"
    return Line(topic="machine", state="warn", text=text, fix=fix)


def _is_grouped_by_session() -> bool:
    """Whether each session, and so each worker, is a group of its own for the kernel's scheduler.

    It is not in a control group for which processor time is accounted or bounded.
    """
    try:
        if _AUTOGROUP.read_text(encoding="ascii").strip() != "1":
            return False
        own = [line.split(":", 2) for line in _OWN_GROUPS.read_text(encoding="utf-8").splitlines()]
    except OSError:  # a kernel without the one or the other
        return False
    for number, controllers, path in own:
        inside = path.lstrip("/")
        if "cpu" in controllers.split(",") and inside:
            return False
        if number == "0" and any((_GROUPS / each / "cpu.weight").exists() for each in (inside, *_above(inside))):
            return False
    return True


def _above(path: str) -> list[str]:
    return [str(each) for each in Path(path).parents]


def _has(capability: int) -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    held = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(held, 16) >> capability & 1)

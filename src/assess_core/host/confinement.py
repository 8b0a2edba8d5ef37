"""What holds a worker: decided here before it starts, and looked at here once it says that it is held.

    profile = profile_of(installed, kit=..., scratch=..., identity=...)     # asks the disk
    profile = for_process(profile, pid)
    look(pid, profile)      # from outside, after the worker's own look from inside

The worker is told everything in one message before it does anything else (docs/wire.md, "Isolation"). Until it has been
seen to be held, it runs code of ours alone.
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from assess_core.host.identities import Identity
from assess_core.host.limits import kernel_limits
from assess_core.store import InstalledPlugin
from assess_plugin.isolation import profile as policy
from assess_plugin.isolation.calls import MACHINES
from assess_plugin.isolation.filter import machine_filter
from assess_plugin.isolation.profile import Profile, make_profile
from assess_plugin.isolation.start import libraries_of

MACHINE = os.uname().machine
HAS_TABLE = MACHINE in MACHINES
"""Whether it is known what the numbers of this machine's system calls mean."""

REMEDY = (
    "Plugins run isolated: on Linux 5.13 or later for x86_64 or aarch64, with Landlock among its security modules "
    '(/sys/kernel/security/lsm). On a machine without it, `require_isolation = "none"` in [runtime] of assess.toml '
    "lets them run with all rights of this user"
)

_NOBODY = 0
"""In place of a process that is not there yet."""

_STATUS_BYTES = 16 * 1024


class UnheldError(Exception):
    """A worker is not held the way it says."""


def profile_of(installed: InstalledPlugin, *, kit: Path, scratch: Path, identity: Identity) -> Profile:
    """How a worker that is not there yet is to be isolated.

    Raises:
        ValueError: there is no table of system calls for this machine.
    """
    return make_profile(
        machine=MACHINE,
        pid=_NOBODY,
        parent=os.getpid(),
        identity=policy.Identity(uid=identity.uid, gid=identity.gid, capabilities=_kept(identity)),
        read=[*libraries_of(installed.python), str(kit), str(installed.environment)],
        write=str(scratch),
        limits=kernel_limits(installed.manifest.limits, own_user=identity.own),
    )


def for_process(profile: Profile, pid: int) -> Profile:
    """The profile of the worker that is this process."""
    return replace(profile, filter=machine_filter(MACHINE, pid=pid))


def look(pid: int, profile: Profile) -> None:
    """The kernel says of the process what the profile says.

    Raises:
        UnheldError: it says something else, or nothing.
    """
    held = dict(_expected(profile))
    try:
        says = dict(_status(pid, held))
    except OSError as error:
        raise UnheldError(f"/proc/{pid}/status cannot be read: {error.strerror}") from error
    for name, expected in held.items():
        if says.get(name) != expected:
            raise UnheldError(f"/proc/{pid}/status says {name} {says.get(name)!r}, expected {expected!r}")


def _expected(profile: Profile) -> Iterator[tuple[str, str]]:
    identity = profile.identity
    kept, none = f"{identity.capabilities:016x}", f"{0:016x}"
    yield "Uid", " ".join([str(identity.uid)] * 4)
    yield "Gid", " ".join([str(identity.gid)] * 4)
    if os.geteuid() == 0:  # who is not cannot give up groups, nor what an executed program could get back
        yield "Groups", ""
        yield "CapBnd", none
    yield "CapPrm", kept
    yield "CapEff", kept
    yield "CapInh", none
    yield "CapAmb", none
    yield "NoNewPrivs", "1"
    yield "Seccomp", "2"
    yield "Threads", "1"


def _status(pid: int, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123  pathlib has no bounded read
        for line in file.read(_STATUS_BYTES).decode("ascii", "replace").splitlines():
            name, _, value = line.partition(":")
            if name in wanted:
                yield name, " ".join(value.split())


def _kept(identity: Identity) -> int:
    """Of root's rights, reading what only root may, so far as root has that here; Landlock says what there is."""
    if not identity.own:
        return 0
    return int(dict(_status(os.getpid(), ["CapPrm"]))["CapPrm"], 16) & policy.CAP_DAC_READ_SEARCH

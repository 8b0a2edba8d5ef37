"""All that a worker is told of its isolation, in one value: whose rights, which files, which calls, how much.

    profile = make_profile(machine="x86_64", pid=4711, parent=4242, identity=Identity(...),
                           read=[*SYSTEM_READABLE, "/usr/lib/python3.11"], write="/var/lib/assess/scratch/…", limits={})

Everything is decided by whoever makes it; the worker does as it is told, looks, and says so (docs/isolation.md).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assess_plugin.isolation.filter import machine_filter

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG, MAKE_SYM, REFER, TRUNCATE = 1 << 7, 1 << 8, 1 << 12, 1 << 13, 1 << 14
"""LANDLOCK_ACCESS_FS_* (linux/landlock.h)."""

HANDLED_FS = (1 << 16) - 1
"""All rights that ABI 7 knows: what no rule gives is denied. A kernel that knows fewer is asked for those it knows."""
HANDLED_NET = 0b11
"""Binding and connecting TCP, which no rule gives."""
SCOPED = 0b11
"""Abstract unix sockets, signals: none beyond the worker itself."""

READ = READ_FILE | READ_DIR
"""Not EXECUTE: libraries are mapped, which is reading."""
OWN = (
    READ | WRITE_FILE | TRUNCATE | MAKE_REG | MAKE_DIR | MAKE_SYM | REMOVE_FILE | REMOVE_DIR | REFER
)  # nobody makes devices, sockets or pipes with a name
USE = READ_FILE | WRITE_FILE

CAP_DAC_READ_SEARCH = 1 << 2

SYSTEM_READABLE = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"),
    *("/usr/share/zoneinfo", "/etc/localtime", "/etc/timezone"),
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"),
    *("/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/tls/openssl.cnf", "/etc/pki/ca-trust/extracted"),
    *("/etc/crypto-policies", "/usr/share/crypto-policies"),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/os-release", "/etc/mime.types"),
    *("/dev/urandom", "/dev/random", "/dev/zero", "/sys/devices/system/cpu"),
)
"""What libraries read for themselves: other libraries, time zones, certificates, names of users. Those that exist."""

SYSTEM_USABLE = ("/dev/null",)

LIMITS: Mapping[str, int] = {"RLIMIT_CORE": 0}
"""Of every worker, whatever else it is limited to: a core file would be a copy of all it was given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Whose rights the worker has.

    Attributes:
        capabilities: bits of those it keeps (linux/capability.h).
    """

    uid: int
    gid: int
    capabilities: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Landlock:
    """What the kernel restricts, and the exceptions.

    Attributes:
        paths: a path, and the rights on it and everything below. One that is not there is left out.
    """

    handled_fs: int
    handled_net: int
    scoped: int
    paths: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One worker's isolation; as a JSON object it is the `profile` of `isolate` (docs/wire.md).

    Attributes:
        parent: process id of the runtime, with which the worker ends.
        limits: `RLIMIT_*` -> at most so much, soft and hard.
        filter: for `struct sock_fprog`.
    """

    parent: int
    identity: Identity
    limits: Mapping[str, int]
    landlock: Landlock
    filter: bytes


def make_profile(
    *,
    machine: str,
    pid: int,
    parent: int,
    identity: Identity,
    read: Iterable[str],
    write: str,
    limits: Mapping[str, int],
) -> Profile:
    """The profile of one worker.

    Args:
        machine: as `os.uname` calls it.
        pid: the worker's process id.
        parent: the runtime's.
        identity: the worker's, of its own or the runtime's.
        read: what it may read besides what the system's libraries need: interpreter, kit, environment.
        write: its scratch directory.
        limits: besides `LIMITS`.

    Raises:
        ValueError: there is no table of system calls for the machine.
    """
    readable = dict.fromkeys((*SYSTEM_READABLE, *read), READ)
    return Profile(
        parent=parent,
        identity=identity,
        limits={**LIMITS, **limits},
        landlock=Landlock(
            handled_fs=HANDLED_FS,
            handled_net=HANDLED_NET,
            scoped=SCOPED,
            paths=(*readable.items(), *((path, USE) for path in SYSTEM_USABLE), (write, OWN)),
        ),
        filter=machine_filter(machine, pid=pid),
    )

"""Done to this process, once and for good, before any plugin code: limits, identity, Landlock, seccomp.

1. See whether the kernel has the means; nothing is done when it has not.
2. Open what Landlock shall allow, with the rights the process still has.
3. Resource limits.
4. As root another user and no groups; no capabilities but those the profile leaves.
5. No new privileges, whatever is executed.
6. SIGKILL when the runtime ends: asked for here because a change of identity takes it back (prctl(2)).
7. Landlock: only those paths, no network, no signals to others.
8. seccomp: only the calls that the filter allows.

A step that fails ends the process: there is no half isolation. `selfcheck` looks at the outcome from inside, the
runtime from outside. `ctypes` is imported here and in `forking`, `resource` here alone.
"""

import ctypes
import os
import resource
import signal
from binascii import a2b_base64
from stat import S_ISDIR
from typing import Any

_PDEATHSIG, _KEEPCAPS, _SET_SECCOMP, _CAPBSET_DROP, _NO_NEW_PRIVS = 1, 8, 22, 24, 38
"""PR_* (linux/prctl.h)."""
_SECCOMP_FILTER = 2

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""landlock_create_ruleset, landlock_add_rule, landlock_restrict_self: the same number on every machine."""
_VERSION, _PATH_BENEATH = 1, 1

_FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
"""EXECUTE, WRITE_FILE, READ_FILE, TRUNCATE, IOCTL_DEV: all that a rule about a file may give."""

CAPABILITY_VERSION_3 = 0x20080522


class IsolationError(Exception):
    """A step could not be done: the process must end."""


class MissingError(IsolationError):
    """The kernel lacks the means; nothing was done."""


class _Attributes(ctypes.Structure):
    """`struct landlock_ruleset_attr`."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    """`struct landlock_path_beneath_attr`, which is packed: without the padding that follows here."""

    _fields_ = (("access", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySet(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def isolate(profile: Any) -> int:
    """This process is isolated as the profile says; the Landlock ABI that does it.

    Raises:
        MissingError: the kernel cannot; nothing was done.
        IsolationError: a step failed; the process must end.
    """
    abi = landlock_abi()  # 1
    _require_seccomp()
    ruleset = _ruleset(profile["landlock"], abi)  # 2
    for name, value in profile["limits"].items():  # 3
        _limit(name, value)
    _become(**profile["identity"])  # 4
    _prctl("no_new_privs", _NO_NEW_PRIVS, 1)  # 5
    _prctl("pdeathsig", _PDEATHSIG, signal.SIGKILL)  # 6
    if os.getppid() != profile["parent"]:
        raise IsolationError("the runtime ended meanwhile")
    _check("landlock_restrict_self", _libc.syscall(ctypes.c_long(_RESTRICT), ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    os.close(ruleset)  # 7
    code = a2b_base64(profile["filter"])  # 8
    program = _Program(length=len(code) // 8, filter=code)
    _prctl("seccomp", _SET_SECCOMP, _SECCOMP_FILTER, ctypes.addressof(program))
    return abi


def landlock_abi() -> int:
    """The kernel's.

    Raises:
        MissingError: it has no Landlock.
    """
    abi = _libc.syscall(ctypes.c_long(_CREATE), None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    if abi < 1:
        raise MissingError(f"the kernel has no Landlock (landlock_create_ruleset: {_last_error()})")
    return int(abi)


def capabilities() -> tuple[int, int, int]:
    """The capabilities of this process: effective, permitted, inheritable."""
    header = _CapabilityHeader(version=CAPABILITY_VERSION_3, pid=0)
    sets = (_CapabilitySet * 2)()
    _check("capget", _libc.capget(ctypes.byref(header), ctypes.byref(sets)))
    low, high = sets
    return (
        low.effective | high.effective << 32,
        low.permitted | high.permitted << 32,
        low.inheritable | high.inheritable << 32,
    )


def _require_seccomp() -> None:
    # The kernel looks at the program before it looks at who asks: EFAULT means that it would take one.
    if _libc.prctl(ctypes.c_int(_SET_SECCOMP), ctypes.c_ulong(_SECCOMP_FILTER), None) == 0 or ctypes.get_errno() != 14:
        raise MissingError(f"the kernel takes no seccomp filter (prctl: {_last_error()})")


def _ruleset(rules: Any, abi: int) -> int:
    handled = _Attributes(
        fs=_known(rules["handled_fs"], abi),
        net=rules["handled_net"] if abi >= 4 else 0,
        scoped=rules["scoped"] if abi >= 6 else 0,
    )
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = _check(
        "landlock_create_ruleset",
        _libc.syscall(ctypes.c_long(_CREATE), ctypes.byref(handled), ctypes.c_size_t(size), ctypes.c_uint32(0)),
    )
    for path, rights in rules["paths"]:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise IsolationError(f"Landlock rule for {path}: {error.strerror}") from error
        try:
            fitting = rights if S_ISDIR(os.fstat(descriptor).st_mode) else rights & _FILE_RIGHTS
            rule = _PathBeneath(access=fitting & handled.fs, parent=descriptor)
            given = (ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
            _check(f"landlock_add_rule for {path}", _libc.syscall(ctypes.c_long(_ADD), *given))
        finally:
            os.close(descriptor)
    return ruleset


def _known(rights: int, abi: int) -> int:
    """The rights that this ABI knows: 13 at first, REFER with 2, TRUNCATE with 3, IOCTL_DEV with 5."""
    return rights & ((1 << 13 + (abi >= 2) + (abi >= 3) + (abi >= 5)) - 1)


def _limit(name: str, value: int) -> None:
    number = getattr(resource, name)
    _, hard = resource.getrlimit(number)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(number, (bound, bound))


def _become(*, uid: int, gid: int, capabilities: int) -> None:
    try:
        if os.geteuid() == 0:
            # Those that a program which is executed could get back. Nothing can be executed any more; twice is better.
            for capability in range(64):
                if _libc.prctl(_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) != 0:
                    break
            os.setgroups([])
        _prctl("keepcaps", _KEEPCAPS, 1)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise IsolationError(f"to become user {uid} and group {gid}: {error.strerror}") from error
    _set_capabilities(capabilities)
    _prctl("keepcaps", _KEEPCAPS, 0)


def _set_capabilities(kept: int) -> None:
    header = _CapabilityHeader(version=CAPABILITY_VERSION_3, pid=0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    sets = (_CapabilitySet * 2)(_CapabilitySet(low, low, 0), _CapabilitySet(high, high, 0))
    _check("capset", _libc.capset(ctypes.byref(header), ctypes.byref(sets)))


def _prctl(what: str, option: int, *arguments: int) -> None:
    padded = [ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4]]
    _check(f"prctl {what}", _libc.prctl(ctypes.c_int(option), *padded))


def _check(what: str, result: int) -> int:
    if result < 0:
        raise IsolationError(f"{what}: {_last_error()}")
    return result


def _last_error() -> str:
    return os.strerror(ctypes.get_errno())

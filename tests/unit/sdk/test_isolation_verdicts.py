"""The seccomp filter, executed: what the kernel would be told about every call of both machines' tables."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_plugin.isolation.filter import machine_filter
from tests.support.linux_calls import CALLS
from tests.support.seccomp import AARCH64, ALLOW, ARM, ERRNO, I386, KILL_PROCESS, X86_64, Filter, SystemCall

PID = 4711
EPERM, ENOTTY, ENOSYS = 1, 25, 38
MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}
FILTERS = {name: Filter(machine_filter(name, pid=PID)) for name in MACHINES}
DOCUMENT = Path(__file__).parents[3] / "docs/system-calls.md"

THREAD = 0x3D0F00
"""Of glibc's pthread_create: VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID."""

AF_UNIX, AF_NETLINK = 1, 16
SOCK_STREAM, SOCK_DGRAM, SOCK_CLOEXEC = 1, 2, 0o2000000

ARGUMENTS = st.lists(
    st.one_of(
        st.integers(0, 64), st.sampled_from([PID, 0xFFFFFFFF, 1 << 32, 1 << 63, THREAD]), st.integers(0, 2**64 - 1)
    ),
    min_size=6,
    max_size=6,
)


def ask(machine: str, name: str, *arguments: int) -> int:
    """The filter's verdict on a call by name."""
    return FILTERS[machine].verdict(
        SystemCall(number=CALLS[machine][name], machine=MACHINES[machine], arguments=arguments)
    )


def documented() -> dict[str, set[str]]:
    """Calls by the heading of the document under which they stand; of a table, those of its first column."""
    parts = re.split(r"^## (.+)$", DOCUMENT.read_text(), flags=re.MULTILINE)
    known = set(CALLS["x86_64"]) | set(CALLS["aarch64"])
    found = {}
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        rows = re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)
        found[title] = set(rows or re.findall(r"`(\w+)`", body)) & known
    return found


ALLOWED, SOME, REFUSED = (documented()[title] for title in ("Allowed", "Allowed with some arguments", "Refused"))


def test_no_call_is_documented_twice_and_none_is_missing_from_the_lists() -> None:
    assert len(ALLOWED) > 100
    assert not ALLOWED & SOME
    assert not (ALLOWED | SOME) & REFUSED


@pytest.mark.parametrize("machine", MACHINES)
@settings(max_examples=10)
@given(arguments=ARGUMENTS)
def test_every_call_of_the_table_is_answered_as_the_document_says(machine: str, arguments: list[int]) -> None:
    for name in CALLS[machine]:
        verdict = ask(machine, name, *arguments)
        if name in ALLOWED:
            assert verdict == ALLOW, name
        elif name in SOME:
            assert verdict in (ALLOW, ERRNO | EPERM, ERRNO | ENOTTY), name
        else:
            assert verdict == ERRNO | (EPERM if name in REFUSED else ENOSYS), name


@pytest.mark.parametrize("machine", MACHINES)
def test_a_number_of_no_table_does_not_exist(machine: str) -> None:
    known = set(CALLS[machine].values())
    for number in set(range(1024)) - known:
        verdict = FILTERS[machine].verdict(SystemCall(number=number, machine=MACHINES[machine]))
        assert verdict == ERRNO | ENOSYS, number


@pytest.mark.parametrize(
    ("machine", "foreign"), [("x86_64", I386), ("x86_64", AARCH64), ("aarch64", ARM), ("aarch64", X86_64)]
)
def test_a_call_by_another_machines_table_ends_the_process(machine: str, foreign: int) -> None:
    number = CALLS[machine]["getpid"]
    assert FILTERS[machine].verdict(SystemCall(number=number, machine=foreign)) == KILL_PROCESS
    assert FILTERS[machine].verdict(SystemCall(number=number, machine=MACHINES[machine])) == ALLOW


@pytest.mark.parametrize("number", [0x40000000, 0x40000000 + 39, 0x40000000 + 520, 0x7FFFFFFF, -1])
def test_a_call_by_x32s_table_ends_the_process(number: int) -> None:
    assert FILTERS["x86_64"].verdict(SystemCall(number=number, machine=X86_64)) == KILL_PROCESS


O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE, O_TRUNC, O_CREAT, O_CLOEXEC = 0, 1, 2, 3, 0o1000, 0o100, 0o2000000
F_SETFD, F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY, F_ADD_SEALS = 2, 8, 10, 15, 1024, 1026, 1033
F_DUPFD_CLOEXEC, F_GETFL = 1030, 3
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_SECCOMP, PR_CAP_AMBIENT = 1, 4, 15, 22, 47
TCGETS, TIOCSTI, FIONBIO, FIOASYNC, FIOSETOWN = 0x5401, 0x5412, 0x5421, 0x5452, 0x8901
MSG_FASTOPEN, MSG_NOSIGNAL = 0x20000000, 0x4000
SOL_SOCKET, SO_ATTACH_FILTER, SO_SNDBUF, SO_MARK, IPPROTO_TCP, TCP_ULP, TCP_NODELAY = 1, 26, 7, 36, 6, 31, 1

CONDITIONS = {
    "cutting off what may be read": ("open", (0, O_RDONLY | O_TRUNC), (0, O_WRONLY | O_TRUNC | O_CREAT)),
    "cutting off without any right": ("openat", (0, 0, O_ACCMODE | O_TRUNC), (0, 0, O_RDWR | O_TRUNC)),
    "opening for neither": ("openat", (0, 0, O_ACCMODE), (0, 0, O_RDONLY | O_CLOEXEC)),
    "a process in place of a thread": ("clone", (0x11,), (THREAD,)),
    "a process that shares memory": ("clone", (0x100 | 0x11,), (THREAD,)),
    "vfork by clone": ("clone", (0x4111,), (THREAD,)),
    "a thread with descriptors of its own": ("clone", (THREAD & ~0x400,), (THREAD,)),
    "a thread with a working directory of its own": ("clone", (THREAD & ~0x200,), (THREAD,)),
    "a thread in a new user namespace": ("clone", (THREAD | 0x10000000,), (THREAD,)),
    "a thread in a new network namespace": ("clone", (THREAD | 0x40000000,), (THREAD,)),
    "a thread in a new time namespace": ("clone", (THREAD | 0x80,), (THREAD,)),
    "a thread in a new mount namespace": ("clone", (THREAD | 0x20000,), (THREAD,)),
    "a thread that is traced along": ("clone", (THREAD | 0x2000,), (THREAD,)),
    "a signal to another process": ("kill", (PID - 1, 15), (PID, 15)),
    "a signal to init": ("kill", (1, 0), (0, 15)),
    "a signal to every process": ("kill", (0xFFFFFFFF, 9), (PID, 9)),
    "a signal to another group": ("kill", (-PID, 9), (PID, 9)),
    "a signal to another's thread": ("tgkill", (PID - 1, PID - 1, 9), (PID, PID + 1, 9)),
    "a life after the runtime's": ("prctl", (PR_SET_PDEATHSIG, 0), (PR_SET_NAME, 0)),
    "a process that others may look into": ("prctl", (PR_SET_DUMPABLE, 1), (PR_SET_NAME, 0)),
    "another filter": ("prctl", (PR_SET_SECCOMP, 2), (PR_SET_NAME, 0)),
    "ambient capabilities": ("prctl", (PR_CAP_AMBIENT, 2), (PR_SET_NAME, 0)),
    "typing into a terminal": ("ioctl", (0, TIOCSTI), (0, TCGETS)),
    "signals by ioctl": ("ioctl", (0, FIOASYNC), (0, FIONBIO)),
    "an owner by ioctl": ("ioctl", (0, FIOSETOWN), (0, FIONBIO)),
    "whom a descriptor signals": ("fcntl", (3, F_SETOWN, 1), (3, F_GETFL)),
    "which thread a descriptor signals": ("fcntl", (3, F_SETOWN_EX, 1), (3, F_GETFL)),
    "which signal a descriptor sends": ("fcntl", (3, F_SETSIG, 9), (3, F_GETFL)),
    "a lease": ("fcntl", (3, F_SETLEASE, 1), (3, F_DUPFD_CLOEXEC)),
    "word of a directory's changes": ("fcntl", (3, F_NOTIFY, 1), (3, F_DUPFD_CLOEXEC)),
    "seals": ("fcntl", (3, F_ADD_SEALS, 1), (3, F_SETFD, 1)),
    "a pair of datagram sockets": ("socketpair", (AF_UNIX, SOCK_DGRAM), (AF_UNIX, SOCK_STREAM)),
    "a pair of another family": ("socketpair", (AF_NETLINK, SOCK_STREAM), (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)),
    "fast open": ("sendto", (3, 0, 0, MSG_FASTOPEN, 0, 0), (3, 0, 0, MSG_NOSIGNAL, 0, 0)),
    "sending to an address": ("sendto", (3, 0, 0, 0, 0x7FFE00000010, 16), (3, 0, 0, 0, 0, 0)),
    "sending to an address in high memory": ("sendto", (3, 0, 0, 0, 1 << 32, 16), (3, 0, 0, 0, 0, 0)),
    "fast open of a message": ("sendmsg", (3, 0, MSG_FASTOPEN), (3, 0, MSG_NOSIGNAL)),
    "fast open of many messages": ("sendmmsg", (3, 0, 1, MSG_FASTOPEN), (3, 0, 1, 0)),
    "a filter on a socket": ("setsockopt", (3, SOL_SOCKET, SO_ATTACH_FILTER), (3, SOL_SOCKET, SO_SNDBUF)),
    "a mark on packets": ("setsockopt", (3, SOL_SOCKET, SO_MARK), (3, SOL_SOCKET, SO_SNDBUF)),
    "another protocol upon TCP": ("setsockopt", (3, IPPROTO_TCP, TCP_ULP), (3, IPPROTO_TCP, TCP_NODELAY)),
    "limits of another process": ("prlimit64", (1, 7, 0, 0x7FFE0000), (0, 7, 0, 0x7FFE0000)),
    "other limits": ("prlimit64", (0, 7, 0x7FFE0000, 0), (PID, 7, 0, 0x7FFE0000)),
    "another personality": ("personality", (0x0040000,), (0xFFFFFFFF,)),
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("attack", CONDITIONS)
def test_of_some_calls_the_arguments_decide(machine: str, attack: str) -> None:
    name, hostile, ordinary = CONDITIONS[attack]
    if name not in CALLS[machine]:
        assert name == "open"  # aarch64 has openat alone
        return
    assert ask(machine, name, *hostile) == ERRNO | (ENOTTY if name == "ioctl" else EPERM)
    assert ask(machine, name, *ordinary) == ALLOW


def test_there_is_an_attack_upon_each_call_whose_arguments_decide() -> None:
    assert {name for name, _, _ in CONDITIONS.values()} == SOME


@pytest.mark.parametrize("machine", MACHINES)
@given(number=st.integers(-(2**31), 2**31 - 1), architecture=st.integers(0, 2**32 - 1), arguments=ARGUMENTS)
def test_whatever_it_is_shown_there_is_a_verdict(
    machine: str, number: int, architecture: int, arguments: list[int]
) -> None:
    verdict = FILTERS[machine].verdict(SystemCall(number=number, machine=architecture, arguments=arguments))
    if architecture != MACHINES[machine]:
        assert verdict == KILL_PROCESS
    else:
        assert verdict in (ALLOW, KILL_PROCESS, ERRNO | EPERM, ERRNO | ENOTTY, ERRNO | ENOSYS)

"""The tables of system calls: what the kernel's own headers say, and that each call has one fate."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from assess_plugin.isolation.calls import MACHINES, NUMBERS, Machine
from assess_plugin.isolation.rules import PLAIN, REFUSED, conditions

CONDITIONAL = frozenset(conditions(4711))
X86_64 = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
GENERIC = Path("/usr/include/asm-generic/unistd.h")
_DEFINITION = re.compile(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", re.MULTILINE)


def test_every_call_has_one_fate() -> None:
    assert not PLAIN & REFUSED
    assert not CONDITIONAL & (PLAIN | REFUSED)
    assert set(NUMBERS) == PLAIN | REFUSED | CONDITIONAL


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_no_number_means_two_calls(machine: Machine) -> None:
    numbers = [columns[machine.column] for columns in NUMBERS.values()]
    known = [number for number in numbers if number is not None]
    assert len(known) == len(set(known))
    assert all(number is not None for columns in NUMBERS.values() for number in columns[:1]), "x86_64 has them all"


@pytest.mark.skipif(not X86_64.exists(), reason="linux-libc-dev is not installed, or not for this machine")
def test_numbers_of_x86_64_are_those_of_the_header() -> None:
    header = dict(_definitions(X86_64))
    assert {name: x86 for name, (x86, _) in NUMBERS.items()} == {name: header[name] for name in NUMBERS}


@pytest.mark.skipif(not GENERIC.exists(), reason="linux-libc-dev is not installed")
def test_numbers_of_aarch64_are_those_of_the_generic_table() -> None:
    header = dict(_definitions(GENERIC))
    header["newfstatat"] = header["fstatat"]  # the header's name for it where there is no other
    assert {name: arm for name, (_, arm) in NUMBERS.items()} == {name: header.get(name) for name in NUMBERS}


REACHES_OUT = """
execve execveat fork vfork socket connect bind listen accept accept4 ptrace bpf keyctl memfd_create unshare setns
mount pidfd_getfd process_vm_readv perf_event_open userfaultfd chmod fchmodat chown utimensat setxattr setuid
capset seccomp truncate landlock_create_ruleset open_by_handle_at
"""


@pytest.mark.parametrize("name", REACHES_OUT.split())
def test_what_reaches_out_is_refused(name: str) -> None:
    assert name in REFUSED


@pytest.mark.parametrize(
    "name", ["io_uring_setup", "io_uring_enter", "io_uring_register", "clone3", "openat2", "timer_create", "modify_ldt"]
)
def test_what_is_better_taken_for_missing_is_not_named_at_all(name: str) -> None:
    assert name not in NUMBERS


def _definitions(header: Path) -> Iterator[tuple[str, int]]:
    seen = set()
    for name, number in _DEFINITION.findall(header.read_text()):
        if name not in seen:  # the generic table says some twice, first for 64 bits
            seen.add(name)
            yield name, int(number)

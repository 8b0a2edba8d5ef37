"""The kernel's side of a seccomp filter: classic BPF, executed instruction by instruction as linux/filter.h defines it.

It knows every instruction that seccomp admits (kernel/seccomp.c, `seccomp_check_filter`) of those a filter could use
without scratch memory, refuses all others, and takes nothing from the code that writes filters.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

X86_64, AARCH64, I386, ARM = 0xC000003E, 0xC00000B7, 0x40000003, 0x40000028
"""AUDIT_ARCH_* of linux/audit.h."""

ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
"""SECCOMP_RET_* of linux/seccomp.h; `ERRNO` carries its number in the low 16 bits."""

DATA_BYTES = 64
"""sizeof(struct seccomp_data)."""

_WORD = 0xFFFFFFFF


class InvalidFilterError(Exception):
    """The kernel would not take it, or it left itself."""


class _Instruction(NamedTuple):
    code: int
    if_true: int
    if_false: int
    value: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemCall:
    """What a filter is shown: `struct seccomp_data`."""

    number: int
    machine: int
    arguments: Sequence[int] = ()

    def data(self) -> bytes:
        """As it lies in memory."""
        arguments = [each & 0xFFFFFFFFFFFFFFFF for each in (*self.arguments, 0, 0, 0, 0, 0, 0)[:6]]
        return struct.pack("<iIQ6Q", self.number, self.machine, 0x7F00DEAD, *arguments)


_JUMPS: Mapping[int, Callable[[int, int], bool]] = {
    0x15: lambda a, k: a == k,  # BPF_JMP | BPF_JEQ | BPF_K
    0x25: lambda a, k: a > k,  # BPF_JGT
    0x35: lambda a, k: a >= k,  # BPF_JGE
    0x45: lambda a, k: a & k != 0,  # BPF_JSET
}
_SUMS: Mapping[int, Callable[[int, int], int]] = {
    0x04: lambda a, k: a + k,  # BPF_ALU | BPF_ADD | BPF_K
    0x14: lambda a, k: a - k,
    0x44: lambda a, k: a | k,
    0x54: lambda a, k: a & k,
    0xA4: lambda a, k: a ^ k,
}
_LOAD, _RETURN, _JUMP_ALWAYS = 0x20, 0x06, 0x05
"""BPF_LD | BPF_W | BPF_ABS, BPF_RET | BPF_K, BPF_JMP | BPF_JA."""


class Filter:
    """A program, checked as the kernel checks one when it is installed.

    Raises:
        InvalidFilterError: it is empty, too long, has an unknown instruction, jumps out of itself or ends without one.
    """

    def __init__(self, program: bytes) -> None:
        if not program or len(program) % 8 or len(program) // 8 > 4096:
            raise InvalidFilterError(f"{len(program)} bytes")
        self.instructions = [_Instruction(*each) for each in struct.iter_unpack("<HBBI", program)]
        for at, each in enumerate(self.instructions):
            self._check(at, each)
        if self.instructions[-1].code != _RETURN:
            raise InvalidFilterError("does not end in a verdict")

    def verdict(self, call: SystemCall) -> int:
        """What the kernel is told to do about the call."""
        data, accumulator, at = call.data(), 0, 0
        while True:
            each = self.instructions[at]
            at += 1
            if each.code == _RETURN:
                return each.value
            if each.code == _LOAD:
                (accumulator,) = struct.unpack_from("<I", data, each.value)
            elif each.code in _SUMS:
                accumulator = _SUMS[each.code](accumulator, each.value) & _WORD
            elif each.code == _JUMP_ALWAYS:
                at += each.value
            else:
                at += each.if_true if _JUMPS[each.code](accumulator, each.value) else each.if_false

    def _check(self, at: int, each: _Instruction) -> None:
        if each.code == _LOAD:
            if each.value % 4 or each.value >= DATA_BYTES:
                raise InvalidFilterError(f"instruction {at} loads from {each.value}")
        elif each.code in _JUMPS or each.code == _JUMP_ALWAYS:
            furthest = each.value if each.code == _JUMP_ALWAYS else max(each.if_true, each.if_false)
            if at + 1 + furthest >= len(self.instructions):
                raise InvalidFilterError(f"instruction {at} jumps out of the program")
        elif each.code not in _SUMS and each.code != _RETURN:
            raise InvalidFilterError(f"instruction {at} is {each.code:#x}")

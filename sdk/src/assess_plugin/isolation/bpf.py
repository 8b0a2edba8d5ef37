"""Classic BPF for seccomp: instructions and how they are written down (linux/filter.h, linux/seccomp.h).

A program sees `struct seccomp_data`: call number at 0, machine at 4, arguments from 16 on, 8 bytes each, and ends in a
verdict. Jumps count instructions and go forward only.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
"""BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_ALU|AND|K, BPF_RET|K."""

ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
"""SECCOMP_RET_*; `ERRNO` carries the error number in its low 16 bits."""

NUMBER_AT, MACHINE_AT, _ARGUMENTS_AT, _ARGUMENT_BYTES = 0, 4, 16, 8

MAX_INSTRUCTIONS = 4096
"""BPF_MAXINSNS."""

MAX_JUMP = 255


class Instruction(NamedTuple):
    """One instruction: `struct sock_filter`."""

    code: int
    if_true: int
    if_false: int
    value: int


def load(offset: int) -> Instruction:
    """A 32-bit word of `struct seccomp_data`."""
    return Instruction(LOAD, 0, 0, offset)


def load_low(argument: int) -> Instruction:
    """The low half of an argument; both machines are little-endian."""
    return load(_ARGUMENTS_AT + argument * _ARGUMENT_BYTES)


def load_high(argument: int) -> Instruction:
    """The high half of an argument."""
    return load(_ARGUMENTS_AT + argument * _ARGUMENT_BYTES + 4)


def jump_equal(value: int, *, if_true: int = 0, if_false: int = 0) -> Instruction:
    """Skip so many instructions."""
    return _jump(JUMP_IF_EQUAL, value, if_true, if_false)


def jump_at_least(value: int, *, if_true: int = 0, if_false: int = 0) -> Instruction:
    """Skip so many instructions."""
    return _jump(JUMP_IF_AT_LEAST, value, if_true, if_false)


def mask(value: int) -> Instruction:
    """Keep these bits."""
    return Instruction(AND, 0, 0, value)


def end(verdict: int) -> Instruction:
    """The program's answer."""
    return Instruction(RETURN, 0, 0, verdict)


def encode(program: Iterable[Instruction]) -> bytes:
    """The program as the kernel takes it.

    Raises:
        ValueError: it is longer than the kernel takes.
    """
    instructions = tuple(program)
    if len(instructions) > MAX_INSTRUCTIONS:
        raise ValueError(f"expected at most {MAX_INSTRUCTIONS} instructions, got {len(instructions)}")
    return b"".join(struct.pack("<HBBI", *each) for each in instructions)


def _jump(code: int, value: int, if_true: int, if_false: int) -> Instruction:
    if not (0 <= if_true <= MAX_JUMP and 0 <= if_false <= MAX_JUMP):
        raise ValueError(f"a jump goes at most {MAX_JUMP} instructions forward, got {if_true} and {if_false}")
    return Instruction(code, if_true, if_false, value)

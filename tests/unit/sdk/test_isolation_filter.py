"""The filter's shape; what it decides is asked of an interpreter elsewhere."""

import struct

import pytest

from assess_plugin.isolation import bpf
from assess_plugin.isolation.calls import MACHINES
from assess_plugin.isolation.filter import machine_filter


@pytest.mark.parametrize("machine", MACHINES)
def test_it_fits_the_kernel_and_ends_in_what_does_not_exist(machine: str) -> None:
    program = machine_filter(machine, pid=4711)
    instructions = list(struct.iter_unpack("<HBBI", program))
    assert len(instructions) <= bpf.MAX_INSTRUCTIONS
    assert instructions[0] == (bpf.LOAD, 0, 0, bpf.MACHINE_AT)
    assert instructions[-1] == (bpf.RETURN, 0, 0, bpf.ERRNO | 38)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_jump_lands_inside(machine: str) -> None:
    instructions = list(struct.iter_unpack("<HBBI", machine_filter(machine, pid=4711)))
    for place, (code, if_true, if_false, _) in enumerate(instructions):
        if code in (bpf.JUMP_IF_EQUAL, bpf.JUMP_IF_AT_LEAST):
            assert place + 1 + max(if_true, if_false) < len(instructions)


def test_it_is_made_for_one_process() -> None:
    assert machine_filter("x86_64", pid=4711) != machine_filter("x86_64", pid=4712)
    assert machine_filter("x86_64", pid=4711) == machine_filter("x86_64", pid=4711)


def test_a_machine_without_a_table_gets_none() -> None:
    with pytest.raises(ValueError, match="expected one of x86_64, aarch64, got 'riscv64'"):
        machine_filter("riscv64", pid=4711)


def test_a_program_too_long_for_the_kernel_is_refused() -> None:
    longest = [bpf.end(bpf.ALLOW)] * bpf.MAX_INSTRUCTIONS
    assert len(bpf.encode(longest)) == 8 * bpf.MAX_INSTRUCTIONS
    with pytest.raises(ValueError, match="at most 4096 instructions, got 4097"):
        bpf.encode([*longest, bpf.end(bpf.ALLOW)])


def test_a_jump_too_far_is_refused() -> None:
    assert bpf.jump_equal(1, if_true=bpf.MAX_JUMP).if_true == bpf.MAX_JUMP
    with pytest.raises(ValueError, match="at most 255 instructions forward"):
        bpf.jump_equal(1, if_false=bpf.MAX_JUMP + 1)

"""The filter of one process: machine first, then call by call, and a verdict for whatever was not named.

A call of another machine's table (i386 on x86_64, x32) ends the process: its numbers mean other calls. Calls that are
always allowed have the shape the kernel recognises and answers from a bitmap, without running the program: so those
that it must run it for come first.
"""

import functools
from collections.abc import Iterator, Sequence

from assess_plugin.isolation import bpf
from assess_plugin.isolation.calls import MACHINES, Machine
from assess_plugin.isolation.rules import PLAIN, REFUSED, Condition, OneOf, Test, Zero, conditions, refusal_of

_EPERM, _ENOSYS = 1, 38

_WORD = 4


def machine_filter(machine: str, *, pid: int) -> bytes:
    """The program for `struct sock_fprog`, 8 bytes an instruction.

    Args:
        machine: as `os.uname` calls it.
        pid: of the process it is for.

    Raises:
        ValueError: there is no table for the machine.
    """
    if machine not in MACHINES:
        raise ValueError(f"isolation: expected one of {', '.join(MACHINES)}, got {machine!r}")
    program, places = _of_anybody(machine)
    own = bytearray(program)
    for place in places:
        own[place : place + _WORD] = pid.to_bytes(_WORD, "little")
    return bytes(own)


@functools.cache
def _of_anybody(machine: str) -> tuple[bytes, tuple[int, ...]]:
    """The program for one process, and where it names that: it is much work, and the same but for those words."""
    one, other = (bpf.encode(_program(MACHINES[machine], pid)) for pid in (0x11111111, 0x22222222))
    return one, tuple(n for n in range(0, len(one), _WORD) if one[n : n + _WORD] != other[n : n + _WORD])


def _program(machine: Machine, pid: int) -> Iterator[bpf.Instruction]:
    yield bpf.load(bpf.MACHINE_AT)
    yield bpf.jump_equal(machine.audit_arch, if_true=1)
    yield bpf.end(bpf.KILL_PROCESS)
    yield bpf.load(bpf.NUMBER_AT)
    if machine.first_foreign is not None:
        yield bpf.jump_at_least(machine.first_foreign, if_false=1)
        yield bpf.end(bpf.KILL_PROCESS)
    for name, condition in sorted(conditions(pid).items()):
        for number in machine.numbers([name]):
            block = list(_conditional(condition, refusal_of(name)))
            yield bpf.jump_equal(number, if_false=len(block))
            yield from block
    for number in machine.numbers(PLAIN):
        yield bpf.jump_equal(number, if_false=1)
        yield bpf.end(bpf.ALLOW)
    for number in machine.numbers(REFUSED):
        yield bpf.jump_equal(number, if_false=1)
        yield bpf.end(bpf.ERRNO | _EPERM)
    yield bpf.end(bpf.ERRNO | _ENOSYS)


def _conditional(condition: Condition, refusal: int) -> Iterator[bpf.Instruction]:
    """Alternatives one after the other: the first that holds allows, and after the last it is refused."""
    for tests in condition:
        parts: list[bpf.Instruction] = [bpf.end(bpf.ALLOW)]
        for test in reversed(tests):
            parts = [*_test(test, len(parts)), *parts]
        yield from parts
    yield bpf.end(bpf.ERRNO | refusal)


def _test(test: Test, rest: int) -> Sequence[bpf.Instruction]:
    """Falls through when it holds, else skips itself and `rest` instructions."""
    match test:
        case Zero(argument):
            return [
                bpf.load_high(argument),
                bpf.jump_equal(0, if_false=rest + 2),
                bpf.load_low(argument),
                bpf.jump_equal(0, if_false=rest),
            ]
        case OneOf(argument, values, mask):
            last = len(values) - 1
            jumps = [
                bpf.jump_equal(each, if_true=last - n, if_false=rest if n == last else 0)
                for n, each in enumerate(values)
            ]
            masked = [] if mask == 0xFFFFFFFF else [bpf.mask(mask)]
            return [bpf.load_low(argument), *masked, *jumps]

"""What is beyond a limit, what is said of it, and what the kernel is told."""

import re
import resource
from pathlib import Path

import pytest

from assess_core.host.limits import Bounds, hint, kernel_limits
from assess_core.host.limits.bounds import MIB, Usage
from assess_core.host.limits.kernel import DATA_HEADROOM_MIB, STACK_MIB
from assess_registry.client import Limits

BOUNDS = Bounds(limits=Limits(memory_mib=256, scratch_mib=64, threads=64, descriptors=256))

BEYOND = [
    (Usage(memory_bytes=256 * MIB + 1), "it used 257 MiB of memory; limits.memory_mib = 256"),
    (Usage(cpu_s=7.55), "it used 7.5 s of processor time; limits.cpu_s = 7.5"),
    (Usage(threads=65), "it used 65 threads; limits.threads = 64"),
    (Usage(descriptors=257), "it used 257 descriptors; limits.descriptors = 256"),
    (Usage(scratch_bytes=64 * MIB + 1), "it used 65 MiB of scratch space or more; limits.scratch_mib = 64"),
    (
        Usage(unmeasurable="since 'x' in it cannot be read"),
        "it used scratch space that cannot be measured, since 'x' in it cannot be read; limits.scratch_mib = 64",
    ),
]


@pytest.mark.parametrize(("usage", "words"), BEYOND, ids=[words for _, words in BEYOND])
def test_what_is_beyond_says_how_much_and_where_that_is_changed(usage: Usage, words: str) -> None:
    excess = BOUNDS.excess(usage, cpu_limit_s=7.5)
    assert excess is not None
    assert excess.words("demo-plugin") == f"{words} in assess-plugin.toml of demo-plugin"


def test_what_is_at_its_limits_is_not_beyond() -> None:
    usage = Usage(memory_bytes=256 * MIB, cpu_s=7.5, threads=64, descriptors=256, scratch_bytes=64 * MIB)
    assert BOUNDS.excess(usage, cpu_limit_s=7.5) is None


@pytest.mark.parametrize(
    ("reason", "key"),
    [
        ("MemoryError: (plugin.py:3)", "memory_mib = 256"),
        ("_ArrayMemoryError: Unable to allocate 1 GiB", "memory_mib = 256"),
        ("OSError: [Errno 12] Cannot allocate memory", "memory_mib = 256"),
        ("OSError: [Errno 24] Too many open files: '/x'", "descriptors = 256"),
        ("OSError: [Errno 27] File too large", "scratch_mib = 64"),
        ("RuntimeError: can't start new thread (plugin.py:9)", "threads = 64"),
    ],
)
def test_an_exception_from_the_kernels_limit_names_it(reason: str, key: str) -> None:
    assert hint(reason, Limits(), "demo") == f"limits.{key} in assess-plugin.toml of demo"


@pytest.mark.parametrize("reason", ["ValueError: MemoryError", "MemoryErrors: x", "OSError: [Errno 2] No such file"])
def test_another_exception_names_none(reason: str) -> None:
    assert not hint(reason, Limits(), "demo")


def test_the_kernel_knows_each_of_the_limits_it_is_told() -> None:
    told = kernel_limits(Limits(), own_user=True)
    assert all(hasattr(resource, name) for name in told)
    assert told["RLIMIT_NOFILE"] == 256
    assert told["RLIMIT_FSIZE"] == 64 * MIB
    assert told["RLIMIT_NPROC"] == 64
    assert told["RLIMIT_DATA"] >= (256 + 96 + 64 * 8) * MIB
    assert "RLIMIT_AS" not in told


def test_what_counts_for_a_user_is_not_said_of_a_user_who_has_other_processes() -> None:
    both = {"RLIMIT_NPROC", "RLIMIT_SIGPENDING"}
    assert kernel_limits(Limits(), own_user=True).keys() - kernel_limits(Limits(), own_user=False).keys() == both


def test_every_limit_of_the_kernel_is_documented_with_its_size() -> None:
    text = (Path(__file__).parents[3] / "docs" / "limits.md").read_text()
    rows = dict(re.findall(r"^\| `(RLIMIT_[A-Z]+)` \| (.+?) \|", text, re.MULTILINE))
    limits = Limits()
    told = kernel_limits(limits, own_user=True)
    assert rows.keys() == told.keys()
    sizes = {"descriptors": limits.descriptors, "threads": limits.threads, "scratch_mib": limits.scratch_mib * MIB}
    for name, row in rows.items():
        word = row.strip("`")
        if name == "RLIMIT_DATA":
            assert tuple(int(each) for each in re.findall(r"(\d+) MiB", row)) == (DATA_HEADROOM_MIB, STACK_MIB)
        else:
            size = sizes.get(word) if word in sizes else int(word.split()[0]) * (MIB if "MiB" in word else 1)
            assert told[name] == size

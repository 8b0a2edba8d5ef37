"""A plugin that takes more than its manifest says is ended, told what it took, and nobody beside it notices.

Each is tried beyond its limit and just below it, isolated - where the kernel may refuse first - and not, where nothing
but the watch keeps it.
"""

import asyncio
from pathlib import Path

import pytest

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import CallReport, Isolation, Supervisor
from assess_core.store import InstalledPlugin
from assess_plugin import ActionInput, Subject
from tests.support.installed import PROGRAMS, host_config, make_installed

SUBJECT = Subject(id="host:test", type="inventory-item", title="test")
LIMITS = "memory_mib = 96\ncpu_s = 2\nscratch_mib = 16\nthreads = 16\ndescriptors = 64"
EVERYWHERE: tuple[Isolation, ...] = ("required", "off")

MEMORY = "limits.memory_mib = 96"
SCRATCH = "limits.scratch_mib = 16"
DEVOURED = [
    # what, beyond, below, the limit that is named
    ("bytearrays", 200, 60, MEMORY),
    ("shared-memory", 200, 60, MEMORY),
    ("shared-memory-given-back", 200, 60, MEMORY),
    ("memory-in-threads", 200, 56, MEMORY),
    ("page-tables", 100, 40, MEMORY),
    ("more-than-there-is", 4096, 60, MEMORY),
    ("threads", 40, 14, "limits.threads = 16"),
    ("descriptors", 100, 50, "limits.descriptors = 64"),
    ("one-file", 40, 14, SCRATCH),
    ("many-files", 40, 14, SCRATCH),
    ("empty-files", 10_000, 3_000, SCRATCH),
    ("unlinked-files", 40, 14, SCRATCH),
    ("mapped-files", 40, 14, SCRATCH),
    ("files-in-flight", 10, 1, SCRATCH),
    ("deep-tree", 60, 30, SCRATCH),
    ("closed-directory", 40, 14, SCRATCH),
]
NOT_POSSIBLE_ISOLATED = "closed-directory"
"""No plugin may change a mode."""


def devourer(root: Path, limits: str = LIMITS, name: str = "devours") -> InstalledPlugin:
    source = (PROGRAMS / "devours.py").read_text()
    return make_installed(
        root, {"devours": source}, plugins={"it": "devours"}, settings=f"[limits]\n{limits}\n", distribution=name
    )


async def devour(supervisor: Supervisor, what: str, size: int, timeout_s: float = 30.0) -> CallReport | PluginFault:
    try:
        given = ActionInput(subject=SUBJECT, checks=(what,), settings={"size": size})
        return await supervisor.execute("it", given, timeout_s=timeout_s)
    except PluginFault as fault:
        return fault


def devoured(
    root: Path, *wishes: tuple[str, int], isolation: Isolation = "required", limits: str = LIMITS, timeout_s: float = 30
) -> list[CallReport | PluginFault]:
    """What became of a call for each wish, one after the other, in one supervisor."""

    async def run() -> list[CallReport | PluginFault]:
        supervisor = Supervisor(devourer(root, limits), host_config(root, isolation=isolation))
        try:
            return [await devour(supervisor, what, size, timeout_s) for what, size in wishes]
        finally:
            await supervisor.stop()

    outcomes = asyncio.run(run())
    assert not list((root / "scratch").iterdir())
    return outcomes


def limit_of(outcome: CallReport | PluginFault) -> str:
    assert isinstance(outcome, PluginFault)
    assert outcome.kind is FaultKind.LIMIT
    return str(outcome)


@pytest.mark.parametrize("isolation", EVERYWHERE)
@pytest.mark.parametrize(("what", "beyond", "below", "limit"), DEVOURED, ids=[what for what, *_ in DEVOURED])
def test_what_is_beyond_a_limit_ends_and_what_is_below_it_passes(
    tmp_path: Path, what: str, beyond: int, below: int, limit: str, isolation: Isolation
) -> None:
    if isolation == "required" and what == NOT_POSSIBLE_ISOLATED:
        (refused,) = devoured(tmp_path, (what, below))
        assert "Operation not permitted" in str(refused)
        return
    good, bad, after = devoured(tmp_path, (what, below), (what, beyond), ("well", 0), isolation=isolation)
    assert isinstance(good, CallReport), str(good)
    assert f"{limit} in assess-plugin.toml of devours" in limit_of(bad)
    assert isinstance(after, CallReport)

"""Whatever a worker does wrong, in whichever phase of its life: it is named for what it was, and says what to do."""

import asyncio
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import HostConfig, Supervisor
from assess_core.host.standing import Ended, Policy
from assess_core.store import InstalledPlugin
from assess_plugin import ActionInput, ActionOutput, Subject
from tests.support.installed import PROGRAMS, host_config, kit, make_installed, one_kit
from tests.support.nothing_left import children_of

SOURCE = (PROGRAMS / "offends.py").read_text()
LIMITS = "[limits]\nmemory_mib = 96\n"
SOON_S = 1.0
"""How long a call, a start or an end may take here that would take for ever."""
IN_TIME_S = 60.0
"""And one that ends by itself, on the slowest machine."""

ENDLESS = ("hangs", "floods")

LONG = f"longer than {SOON_S:g} s"
STOPPED = r"stopped itself \(SIGSTOP\)"
MIDDLE = "in the middle of a message, of which 25 bytes had come"

NAMED = {
    ("start", "hangs"): (FaultKind.START, LONG),
    ("start", "floods"): (FaultKind.START, LONG),
    ("start", "stops"): (FaultKind.START, STOPPED),
    ("start", "exits"): (FaultKind.START, "exited with code 7"),
    ("start", "crashes"): (FaultKind.START, "killed by SIGSEGV"),
    ("load", "hangs"): (FaultKind.START, LONG),
    ("load", "floods"): (FaultKind.START, LONG),
    ("load", "stops"): (FaultKind.START, STOPPED),
    ("load", "exits"): (FaultKind.START, "exited with code 7"),
    ("load", "crashes"): (FaultKind.START, "killed by SIGSEGV"),
    ("load", "eats"): (FaultKind.START, r"limits\.memory_mib = 96"),
    ("load", "forks"): (FaultKind.START, "cannot be loaded: .*Error"),
    ("call", "hangs"): (FaultKind.TIMEOUT, LONG),
    ("call", "floods"): (FaultKind.TIMEOUT, LONG),
    ("call", "stops"): (FaultKind.SIGNALLED, STOPPED),
    ("call", "exits"): (FaultKind.EXITED, "exited with code 7"),
    ("call", "crashes"): (FaultKind.SIGNALLED, "killed by SIGSEGV"),
    ("call", "eats"): (FaultKind.LIMIT, r"limits\.memory_mib = 96"),
    ("call", "forks"): (FaultKind.RAISED, "it raised .*Error"),
    ("frame", "hangs"): (FaultKind.TIMEOUT, LONG),
    ("frame", "floods"): (FaultKind.TIMEOUT, LONG),
    ("frame", "stops"): (FaultKind.SIGNALLED, STOPPED),
    ("frame", "exits"): (FaultKind.EXITED, f"exited with code 7 {MIDDLE}"),
    ("frame", "crashes"): (FaultKind.SIGNALLED, f"killed by SIGSEGV {MIDDLE}"),
    ("frame", "eats"): (FaultKind.LIMIT, r"limits\.memory_mib = 96"),
    ("idle", "stops"): (FaultKind.SIGNALLED, STOPPED),
    ("idle", "exits"): (FaultKind.EXITED, "exited with code 7"),
    ("idle", "crashes"): (FaultKind.SIGNALLED, "killed by SIGSEGV"),
    ("idle", "eats"): (FaultKind.LIMIT, r"limits\.memory_mib = 96"),
    ("shutdown", "hangs"): (FaultKind.TIMEOUT, f"not ended {SOON_S:g} s after"),
    ("shutdown", "floods"): (FaultKind.TIMEOUT, f"not ended {SOON_S:g} s after"),
    ("shutdown", "stops"): (FaultKind.SIGNALLED, STOPPED),
    ("shutdown", "exits"): (FaultKind.EXITED, "exited with code 7"),
    ("shutdown", "crashes"): (FaultKind.SIGNALLED, "killed by SIGSEGV"),
    ("shutdown", "eats"): (FaultKind.LIMIT, r"limits\.memory_mib = 96"),
}
"""Phase and deed -> kind of fault, and what its message says."""

PHASES = {"call": "execute", "frame": "execute"}
"""As they are told, where that is another word."""

WITHOUT_WORKER = {("load", "eats"), ("call", "forks"), ("load", "forks")}
"""What raises fails the call or the load by a message; its worker may live on, so that none has ended by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What came of one worker: of its start and its call, and at last of itself."""

    output: ActionOutput | None
    fault: PluginFault | None
    ends: tuple[Ended, ...]


@pytest.mark.parametrize(("phase", "deed"), NAMED, ids=["-".join(each) for each in NAMED])
def test_it_is_named_for_what_it_was(phase: str, deed: str, tmp_path: Path) -> None:
    kind, message = NAMED[phase, deed]
    seen = asyncio.run(let(phase, deed, tmp_path))
    where = PHASES.get(phase, phase)
    if phase in ("idle", "shutdown"):
        assert seen.output is not None, seen
    else:
        assert seen.fault is not None, seen
        assert (seen.fault.kind, seen.fault.phase) == (kind, where), seen.fault
        assert re.search(message, str(seen.fault)), seen.fault
    if (phase, deed) not in WITHOUT_WORKER:
        (end,) = seen.ends
        assert (end.kind, end.phase) == (kind, where), end
        assert re.search(message, end.message), end
        assert end.hint
    assert not list((tmp_path / "scratch").iterdir())


def test_one_that_does_nothing_wrong_has_no_end_to_tell_of(tmp_path: Path) -> None:
    seen = asyncio.run(let("never", "nothing", tmp_path))
    assert seen.output is not None
    assert seen.fault is None
    assert seen.ends == ()


def test_stopping_ends_a_worker_also_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    async def stop_and_give_up() -> None:
        config = configured("shutdown", "hangs", tmp_path)
        supervisor = Supervisor(offender("shutdown", "hangs", tmp_path), config)
        await supervisor.execute("it", given(), timeout_s=IN_TIME_S)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await supervisor.stop()
        async with asyncio.timeout(IN_TIME_S):
            while children_of(os.getpid()):
                await asyncio.sleep(0.02)

    asyncio.run(stop_and_give_up())


async def let(phase: str, deed: str, root: Path) -> Seen:
    """One worker of such a plugin, started, called, left alone for a moment, stopped."""
    supervisor = Supervisor(offender(phase, deed, root), configured(phase, deed, root), policy=Policy.patient())
    output, fault = None, None
    timed = phase in PHASES and deed in ENDLESS
    try:
        if timed:
            await supervisor.start()  # else that would be in its time
        report = await supervisor.execute("it", given(), timeout_s=SOON_S if deed in ENDLESS else IN_TIME_S)
        output = report.output
    except PluginFault as error:
        fault = error
    if phase == "idle":
        async with asyncio.timeout(IN_TIME_S):
            while not supervisor.ended:
                await asyncio.sleep(0.02)
    await supervisor.stop()
    if timed:  # the next worker was begun, and what is given up is tidied up beside
        async with asyncio.timeout(IN_TIME_S):
            while any((root / "scratch").iterdir()):
                await asyncio.sleep(0.02)
    return Seen(output=output, fault=fault, ends=supervisor.ended)


def offender(phase: str, deed: str, root: Path) -> InstalledPlugin:
    source = SOURCE.replace('PHASE, DEED = "never", "nothing"', f'PHASE, DEED = "{phase}", "{deed}"')
    return make_installed(root, {"offends": source}, plugins={"it": "offends:plugin"}, settings=LIMITS)


def configured(phase: str, deed: str, root: Path) -> HostConfig:
    config = host_config(
        root,
        stop_timeout_s=SOON_S if phase == "shutdown" and deed in ENDLESS else IN_TIME_S,
        start_timeout_s=SOON_S if phase in ("start", "load") and deed in ENDLESS else IN_TIME_S,
    )
    return replace(config, kits=one_kit(_spoilt_kit(deed, root / "kit"))) if phase == "start" else config


def given() -> ActionInput:
    return ActionInput(subject=Subject(id="x", type="component", title="x"), checks=("it-loads",), settings={})


def _spoilt_kit(deed: str, directory: Path) -> Path:
    """A kit whose workers do the deed before they say anything: no plugin's code runs that early."""
    shutil.copytree(kit(), directory)
    serve = directory / "assess_plugin" / "worker" / "serve.py"
    deeds = SOURCE[SOURCE.index("import os\n") : SOURCE.index("from assess_plugin")], SOURCE[SOURCE.index("def do(") :]
    code = f"{deeds[0]}\n{deeds[1][: deeds[1].index('def later(')]}\n\ndo({deed!r})\n"
    first = "    channel = Channel(socket(fileno=descriptor))\n"
    text = serve.read_text()
    assert first in text
    serve.chmod(0o644)
    serve.write_text(text.replace(first, f"    exec({code!r}, {{}})\n{first}"))
    for compiled in (serve.parent / "__pycache__").glob("serve.*"):
        compiled.unlink()
    return directory

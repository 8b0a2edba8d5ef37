"""What holds plugins here, tried with a worker that holds none."""

import os
from collections.abc import Iterator

from assess_core.doctor import trying
from assess_core.doctor.values import Line
from assess_core.errors import PluginFault
from assess_core.runtime import Runtime

_KERNEL = "docs/isolation.md says what a kernel needs for it"


def lines(runtime: Runtime) -> Iterator[Line]:
    """Whether a worker can be isolated, by what, and as whom it runs."""
    config = runtime.config.runtime
    wanted = config.require_isolation == "full" and not config.run_plugins_without_isolation
    try:
        held = trying.try_isolation(runtime)
    except PluginFault as fault:
        fix = _KERNEL if wanted else ""
        yield Line(topic="isolation", state="fail" if wanted else "warn", text=f"none: {fault.message}", fix=fix)
        return
    name = os.uname()
    own = "its own, of no account here" if os.geteuid() == 0 else "the runtime's own"
    kernel = f"Linux {name.release}: Landlock ABI {held.landlock_abi}, seccomp filter for {name.machine}"
    if config.run_plugins_without_isolation:
        fix = "remove runtime.run_plugins_without_isolation"
        yield Line(topic="isolation", state="warn", text="switched off, and there are the means for it", fix=fix)
    else:
        yield Line(topic="isolation", state="ok", text=f"{held.isolation}, seen from inside and outside a worker")
        yield Line(topic="user", state="ok", text=f"a worker's is {own}: {held.user}")
    yield Line(topic="kernel", state="ok", text=kernel)
    if config.start_workers == "fork" and not config.run_plugins_without_isolation:
        why = trying.why_spawned(runtime)
        fix = "workers start all the same, each by itself: slower, and with more memory; docs/isolation.md says why"
        if why:
            yield Line(topic="start", state="warn", text=f"no worker can be forked: {why}", fix=fix)
        else:
            yield Line(topic="start", state="ok", text="workers are forked from a prepared parent")


def relaxed(runtime: Runtime) -> Iterator[Line]:
    """What of the configuration takes usual protection away."""
    for text in runtime.config.runtime.relaxed:
        yield Line(topic="relaxed", state="warn", text=text, fix="remove it as soon as you can; every result says it")

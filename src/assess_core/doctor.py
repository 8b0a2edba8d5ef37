"""Could plugins run here as they are configured? Every answer is tried, not looked up.

    for line in examine(runtime): ...

A line is `ok`, `relaxed` - it works, and the configuration takes something away from the usual protection - or a
`problem`: plugins do not run, or not so.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from assess_core.errors import AssessError, PluginFault
from assess_core.folders import entry_of
from assess_core.runtime import Runtime
from assess_core.store import InstalledPlugin

State = Literal["ok", "relaxed", "problem"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What was found about one thing."""

    topic: str
    state: State
    text: str


def examine(runtime: Runtime) -> Iterator[Line]:
    """What there is to say, in the order in which it matters."""
    yield from _isolation(runtime)
    interpreter = runtime.interpreter
    yield Line(topic="interpreter", state="ok", text=f"{interpreter.path}, Python {interpreter.version}")
    yield from (Line(topic="relaxed", state="relaxed", text=text) for text in runtime.config.runtime.relaxed)
    yield from _registry(runtime)
    yield from _plugins(runtime)


def _isolation(runtime: Runtime) -> Iterator[Line]:
    config = runtime.config.runtime
    wanted = config.require_isolation == "full" and not config.run_plugins_without_isolation
    try:
        held = runtime.probe()
    except PluginFault as fault:
        yield Line(topic="isolation", state="problem" if wanted else "relaxed", text=f"none: {fault.args[0]}")
        return
    name = os.uname()
    own = "its own, of no account here" if os.geteuid() == 0 else "the runtime's own"
    kernel = f"Linux {name.release}: Landlock ABI {held.landlock_abi}, seccomp filter for {name.machine}"
    if config.run_plugins_without_isolation:
        yield Line(topic="isolation", state="relaxed", text="switched off, and there are the means for it")
    else:
        yield Line(topic="isolation", state="ok", text=f"{held.isolation}, seen from inside and outside a worker")
        yield Line(topic="user", state="ok", text=f"a worker's is {own}: {held.user}")
    yield Line(topic="kernel", state="ok", text=kernel)


def _registry(runtime: Runtime) -> Iterator[Line]:
    settings = runtime.config.registry
    if settings is None:
        return
    if settings.development:
        text = f"{settings.url}: accepted even if it says `development`, where one person holds all keys"
        yield Line(topic="registry", state="relaxed", text=text)
    else:
        yield Line(topic="registry", state="ok", text=settings.url)


def _plugins(runtime: Runtime) -> Iterator[Line]:
    try:
        installed = runtime.installed()
    except AssessError as error:
        yield Line(topic="plugins", state="problem", text=str(error))
        return
    for entry in runtime.config.plugins:
        found = [plugin for plugin in installed if entry_of(runtime.config, plugin.distribution) is entry]
        if not found:
            topic = str(entry.name or entry.dir)
            yield Line(topic=topic, state="problem", text="is not installed; run `assess sync`")
        for plugin in found:
            problems = _start(runtime, plugin)
            yield from (Line(topic=plugin.distribution, state="problem", text=problem) for problem in problems)
            if not problems:
                development = ", of a development registry" if plugin.development else ""
                text = f"{plugin.version} starts and loads{development}"
                yield Line(topic=plugin.distribution, state="ok", text=text)


def _start(runtime: Runtime, plugin: InstalledPlugin) -> tuple[str, ...]:
    """What keeps it from being called."""
    try:
        return runtime.try_start(plugin)
    except (AssessError, OSError) as error:
        return (str(error),)

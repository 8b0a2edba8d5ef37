"""The Pythons that plugins may run under: the runtime's own, and those that were configured or found."""

from collections.abc import Iterator

from assess_core.doctor.values import Line
from assess_core.runtime import Runtime
from assess_core.store import Found


def lines(runtime: Runtime) -> Iterator[Line]:
    """A line for each; one that was configured and cannot be used is a warning, one that is merely found is none."""
    yield from map(_line, runtime.interpreters.found())


def _line(found: Found) -> Line:
    text = f"{found.path}, Python {found.version}" if found.version else str(found.path)
    if found.own:
        return Line(topic="interpreter", state="ok", text=f"{text}, the runtime's own")
    where = "configured" if found.configured else "found"
    if not found.problem:
        return Line(topic="interpreter", state="ok", text=f"{text}, {where}")
    if not found.configured:
        return Line(topic="interpreter", state="ok", text=f"{text}, found, is not used: {found.problem}")
    return Line(
        topic="interpreter",
        state="warn",
        text=f"{text}, configured, cannot be used: {found.problem}",
        fix="put it right, or take it out of runtime.interpreters; plugins that need it do not run",
    )

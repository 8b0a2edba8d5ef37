"""Every topic in the order in which it matters; one that cannot be looked at is a line, and does not end the others."""

from collections.abc import Callable, Iterator

from assess_core.doctor import clock, disk, interpreters, isolation, journal, machine, plugins, registry
from assess_core.doctor.configuration import Chosen, origins
from assess_core.doctor.values import Line
from assess_core.errors import AssessError
from assess_core.runtime import Runtime
from assess_registry.client import RegistryError

TOPICS: tuple[tuple[str, Callable[[Runtime], Iterator[Line]]], ...] = (
    ("isolation", isolation.lines),
    ("machine", machine.lines),
    ("interpreter", interpreters.lines),
    ("relaxed", isolation.relaxed),
    ("registry", registry.lines),
    ("clock", clock.lines),
    ("disk", disk.lines),
    ("journal", journal.lines),
    ("plugins", plugins.lines),
)


def examine(runtime: Runtime, chosen: Chosen) -> Iterator[Line]:
    """What there is to say; every answer is tried, not looked up, where it can be."""
    yield from origins(runtime, chosen)
    for topic, lines in TOPICS:
        try:
            yield from lines(runtime)
        except (AssessError, RegistryError, OSError) as error:
            yield Line(
                topic=topic, state="fail", text=f"could not be looked at: {error}", fix="see to this first, then again"
            )

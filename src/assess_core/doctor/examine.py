"""Every topic in the order in which it matters; one that cannot be looked at is a line, and does not end the others."""

from collections.abc import Callable, Iterator
from functools import partial

from assess_core.doctor import (
    checks,
    clock,
    crashes,
    disk,
    interpreters,
    isolation,
    journal,
    machine,
    plugins,
    registry,
    shared,
    state,
    waivers,
)
from assess_core.doctor.configuration import Chosen, origins
from assess_core.doctor.unseen import unseen
from assess_core.doctor.values import Line
from assess_core.runtime import Runtime

TOPICS: tuple[tuple[str, Callable[[Runtime], Iterator[Line]]], ...] = (
    ("isolation", isolation.lines),
    ("machine", machine.lines),
    ("interpreter", interpreters.lines),
    ("relaxed", isolation.relaxed),
    ("registry", registry.lines),
    ("clock", clock.lines),
    ("disk", disk.lines),
    ("state", state.lines),
    ("shared", shared.lines),
    ("journal", journal.lines),
    ("checks", checks.lines),
    ("waivers", waivers.lines),
    ("crash", crashes.lines),
    ("plugins", plugins.lines),
)


def examine(runtime: Runtime, chosen: Chosen) -> Iterator[Line]:
    """What there is to say; every answer is tried, not looked up, where it can be."""
    yield from _looked("configuration", partial(origins, runtime, chosen))
    for topic, lines in TOPICS:
        yield from _looked(topic, partial(lines, runtime))


def _looked(topic: str, lines: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    try:
        yield from lines()
    except Exception as error:  # whoever asks what is wrong is told, whatever it is
        yield unseen(topic, error)

"""Which files a tool is given together, so that one file that stops it hides nothing but itself.

A wheel could be made to look better by adding a file on which a scanner dies: what it would have said of the others
is lost with it. So files of ordinary size go in batches, and large ones alone, after them; after a few batches that
failed the rest is not tried, which bounds the time of an audit, and what was not examined is named.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from assess_registry.audit.tools import ToolRun
from assess_registry.wheel import UnpackedFile

LARGE_BYTES = 1 << 20
"""A source file beyond this is unusual: none of the 3,136 that this project's own tools are made of."""
MAX_BATCH_BYTES = 8 << 20
MAX_BATCH_FILES = 200
"""Their names must fit on a command line."""
MAX_FAILURES = 3

_MAX_NAMED = 20

Parsed = TypeVar("Parsed")


class UnreliableError(Exception):
    """A tool ended by itself, but what it said is not what it says when all is well; the message says how."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined(Generic[Parsed]):
    """What a tool said of the batches it got through, and why others are missing."""

    answers: tuple[Parsed, ...]
    incomplete: tuple[str, ...]


def batches(files: Iterable[UnpackedFile]) -> tuple[tuple[UnpackedFile, ...], ...]:
    """The files in groups: ordinary ones by path, then large ones one by one, smallest first."""
    ordered = sorted(files, key=lambda file: file.path)
    groups: list[list[UnpackedFile]] = []
    size = 0
    for file in ordered:
        if len(file.data) > LARGE_BYTES:
            continue
        if not groups or len(groups[-1]) == MAX_BATCH_FILES or size + len(file.data) > MAX_BATCH_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += len(file.data)
    large = sorted((file for file in ordered if len(file.data) > LARGE_BYTES), key=lambda file: len(file.data))
    return tuple(tuple(group) for group in groups) + tuple((file,) for file in large)


def examine_batches(
    files: Iterable[UnpackedFile],
    run: Callable[[Sequence[UnpackedFile]], ToolRun],
    parse: Callable[[ToolRun, Sequence[UnpackedFile]], Parsed],
) -> Examined[Parsed]:
    """Run the tool on every batch; `parse` raises `UnreliableError` for an answer that cannot be relied on."""
    answers: list[Parsed] = []
    incomplete: list[str] = []
    failures = 0
    for batch in batches(files):
        if failures == MAX_FAILURES:
            incomplete.append(f"not tried, after {failures} failures, on {_names(batch)}")
            continue
        ran = run(batch)
        try:
            if ran.problem:
                raise UnreliableError(ran.problem)
            answers.append(parse(ran, batch))
        except UnreliableError as error:
            failures += 1
            incomplete.append(f"{error}; not examined: {_names(batch)}")
    return Examined(answers=tuple(answers), incomplete=tuple(incomplete))


def _names(batch: Sequence[UnpackedFile]) -> str:
    shown = ", ".join(file.path for file in batch[:_MAX_NAMED])
    more = len(batch) - _MAX_NAMED
    return f"{shown} and {more} more" if more > 0 else shown

"""Which files a tool is given together, and which are too large to give to it at all.

A wheel could be made to look better by adding a file on which a scanner dies: what it would have said of the others
is lost with it. So files of ordinary size go in batches, and large ones alone, after them; after a few batches that
failed the rest is not tried.

How long a tool takes must decide nothing, or a verdict would hang on the machine. So what is given to it is bounded by
bytes, lines and runs, such that it is done in a tenth of its time limit on a slow machine; whatever is beyond the
bounds is named as not examined, on every machine alike.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Generic, Protocol, TypeVar

from assess_registry.tools import ToolRun

LARGE_BYTES = 256 << 10
"""Files beyond this are given to a tool alone."""
MAX_BATCH_FILES = 200
"""Their names must fit on a command line."""
MAX_RUNS = 100
"""Of one tool over one wheel: more than any honest plugin needs."""
MAX_FAILURES = 3

_MAX_NAMED = 20


class Content(Protocol):
    """A file, or what a tool is given of it."""

    @property
    def path(self) -> str:
        """In the wheel."""
        ...

    @property
    def data(self) -> bytes:
        """What the tool reads."""
        ...


Parsed = TypeVar("Parsed")
File = TypeVar("File", bound=Content)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The most that a tool is given, of one file and in one run: the slowest content there is takes it a minute."""

    max_bytes: int
    max_lines: int


class UnreliableError(Exception):
    """A tool ended by itself, but what it said is not what it says when all is well; the message says how."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined(Generic[Parsed]):
    """What a tool said of the batches it got through, and why others are missing."""

    answers: tuple[Parsed, ...]
    incomplete: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Batches(Generic[File]):
    """Files in groups, and those that no run can take, with the reason."""

    groups: tuple[tuple[File, ...], ...]
    too_large: tuple[str, ...]


def installed(distribution: str) -> str:
    """Name and version of a tool, for the report; empty where it is missing."""
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return ""


def batches(files: Iterable[File], bounds: Bounds) -> Batches[File]:
    """The files in groups: ordinary ones by path, then large ones one by one, smallest first."""
    groups: list[list[File]] = []
    large: list[File] = []
    too_large: list[str] = []
    size = lines = 0
    for file in sorted(files, key=lambda file: file.path):
        data = file.data
        own = _lines(data)
        if len(data) > bounds.max_bytes or own > bounds.max_lines:
            too_large.append(f"{file.path}: {len(data)} bytes in {own} lines, more than are examined ({_said(bounds)})")
        elif len(data) > LARGE_BYTES:
            large.append(file)
        else:
            size, lines = size + len(data), lines + own
            full = not groups or len(groups[-1]) == MAX_BATCH_FILES
            if full or size > bounds.max_bytes or lines > bounds.max_lines:
                groups.append([])
                size, lines = len(data), own
            groups[-1].append(file)
    alone = [[file] for file in sorted(large, key=lambda each: (len(each.data), each.path))]
    return Batches(groups=tuple(map(tuple, [*groups, *alone])), too_large=tuple(too_large))


def examine_batches(
    files: Iterable[File],
    run: Callable[[Sequence[File]], ToolRun],
    parse: Callable[[ToolRun, Sequence[File]], Parsed],
    *,
    bounds: Bounds,
) -> Examined[Parsed]:
    """Run the tool on every batch; `parse` raises `UnreliableError` for an answer that cannot be relied on."""
    made = batches(files, bounds)
    answers: list[Parsed] = []
    incomplete = list(made.too_large)
    failures = 0
    for number, batch in enumerate(made.groups):
        if failures == MAX_FAILURES:
            incomplete.append(f"not tried, after {failures} failures, on {_names(batch)}")
            continue
        if number >= MAX_RUNS:
            incomplete.append(f"not tried, after {MAX_RUNS} runs, on {_names(batch)}")
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


def _lines(data: bytes) -> int:
    return data.count(b"\n") + data.count(b"\r") + 1


def _said(bounds: Bounds) -> str:
    return f"{bounds.max_bytes} bytes, {bounds.max_lines} lines"


def _names(batch: Sequence[Content]) -> str:
    shown = ", ".join(file.path for file in batch[:_MAX_NAMED])
    more = len(batch) - _MAX_NAMED
    return f"{shown} and {more} more" if more > 0 else shown

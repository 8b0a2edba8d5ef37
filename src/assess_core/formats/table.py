"""A run for the person at the terminal: worst first, subject by subject, and what the exit code means.

Plain text that reads the same without colour; colour repeats what a word says. Written by hand and not with a
library for tables: 6,000 results take a tenth of a second, and every text is made harmless in one place.
"""

from collections.abc import Callable, Iterator

from assess_core.formats.layout import cut, pad, wrap
from assess_core.formats.order import worst_first
from assess_core.formats.sentences import (
    explain,
    narrowed_lines,
    number,
    tries_line,
    waived_line,
    waiver_line,
    waiver_lines,
)
from assess_core.results import EXIT_FINDINGS, EXIT_INCOMPLETE, Result, ResultOutcome, Run, Severity
from assess_registry.client import plain

Paint = Callable[[str, str], str]
"""Text and SGR code to what is printed."""

MAX_CHARS = 400
"""Shown of one reason or value; the whole text is in the JSON document."""

MIN_WIDTH = 60

_OUTCOME, _SEVERITY = 14, 8
_INDENT = 2 + _OUTCOME + 2 + _SEVERITY + 2

_BOLD, _DIM, _RED, _GREEN, _YELLOW, _MAGENTA = "1", "2", "31", "32", "33", "35"
_COLOURS = {
    ResultOutcome.ERROR: _MAGENTA,
    ResultOutcome.TIMEOUT: _MAGENTA,
    ResultOutcome.FAIL: _RED,
    ResultOutcome.SKIPPED: _YELLOW,
    ResultOutcome.NOT_APPLICABLE: _DIM,
    ResultOutcome.PASS: _GREEN,
}
_EXIT_COLOURS = {EXIT_INCOMPLETE: _MAGENTA, EXIT_FINDINGS: _RED}


def render(run: Run, *, fail_on: Severity | None, colour: bool = False, width: int = 80) -> str:
    """The run as text of at most `width` columns (60 at least)."""
    paint = _painted if colour else _bare
    width = max(width, MIN_WIDTH)
    lines: list[str] = []
    for results in _by_subject(run):
        subject = results[0].subject
        lines += [paint(line, _BOLD) for line in wrap(_heading(subject.id, subject.title), width)]
        for result in sorted(results, key=worst_first):
            lines += _rows(result, paint, width - _INDENT)
        lines.append("")
    lines += _summary(run, fail_on, paint, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _by_subject(run: Run) -> list[list[Result]]:
    """The results of each subject, the subject with the worst result first."""
    subjects: dict[str, list[Result]] = {}
    for result in run.results:
        subjects.setdefault(result.subject.id, []).append(result)
    return sorted(subjects.values(), key=lambda results: (min(map(worst_first, results)), results[0].subject.id))


def _heading(identifier: str, title: str) -> str:
    shown = plain(title)[:MAX_CHARS]
    return plain(identifier) + (f" ({shown})" if shown and not identifier.endswith(title) else "")


def _rows(result: Result, paint: Paint, width: int) -> Iterator[str]:
    check, *more = wrap(plain(result.check), width)
    outcome = paint(pad(result.outcome.value, _OUTCOME), _COLOURS[result.outcome])
    start = f"  {outcome}  {pad(result.severity, _SEVERITY)}  "
    room = width - len(check) - 2
    if result.outcome is ResultOutcome.PASS and not more:
        title = plain(result.title)
        yield f"{start}{check}" + (f"  {paint(cut(title, room), _DIM)}" if room > len("…") and title else "")
        for line in wrap(cut(tries_line(result), MAX_CHARS), width):
            yield " " * _INDENT + line
        return
    yield start + check
    for line in more:
        yield " " * _INDENT + line
    for text in _details(result):
        for line in wrap(cut(text, MAX_CHARS), width):
            yield " " * _INDENT + line


def _details(result: Result) -> Iterator[str]:
    """What to say of a result beyond its check, each once."""
    said = [plain(result.title), plain(result.reason)]
    if result.outcome is ResultOutcome.FAIL:
        said.append(_comparison(result))
        remediation = plain(result.remediation)
        said.append(f"fix: {remediation}" if remediation else "")
    if result.waiver is not None:
        said.append(waiver_line(result.waiver))
    said.append(tries_line(result))
    yield from dict.fromkeys(text for text in said if text)


def _comparison(result: Result) -> str:
    expected = None if result.expected is None else f"expected {plain(result.expected) or 'nothing'}"
    actual = None if result.actual is None else f"got {plain(result.actual) or 'nothing'}"
    return ", ".join(text for text in (expected, actual) if text)


def _summary(run: Run, fail_on: Severity | None, paint: Paint, width: int) -> Iterator[str]:
    for sentence in run.shortcomings():
        yield from (paint(line, _MAGENTA) for line in wrap(cut(f"incomplete: {plain(sentence)}", MAX_CHARS), width))
    for text in narrowed_lines(run):
        yield from (paint(line, _YELLOW) for line in wrap(cut(text, MAX_CHARS), width))
    for each in run.waiting:
        more = "; ".join(each.added)
        said = f"waiting: {each.distribution} {each.version} asks for more than {each.running}, which ran: {more}"
        yield from (paint(line, _YELLOW) for line in wrap(cut(plain(said), MAX_CHARS), width))
    for text in waiver_lines(run):
        yield from (paint(line, _YELLOW) for line in wrap(cut(text, MAX_CHARS), width))
    for text in _protection(run):
        yield from (paint(line, _MAGENTA) for line in wrap(cut(text, MAX_CHARS), width))
    subjects = len({result.subject.id for result in run.results})
    yield f"{number(len(run.results), 'result')} on {number(subjects, 'subject')}:"
    yield from wrap(", ".join(f"{count} {outcome.value}" for outcome, count in run.counts.items()), width)
    if run.waived:
        yield from wrap(waived_line(run), width)
    colour = _EXIT_COLOURS.get(run.exit_code(fail_on), _GREEN)
    yield from (paint(line, colour) for line in wrap(explain(run, fail_on), width))


def _protection(run: Run) -> Iterator[str]:
    """What was less than it is by default, as long as anything was."""
    for text in dict.fromkeys(text for result in run.results for text in result.relaxed):
        yield f"relaxed: {plain(text)}"
    unheld = sum(result.isolation != "full" and _had_a_process(result) for result in run.results)
    if unheld:
        yield f"not isolated: {number(unheld, 'result')} of plugins that ran with all rights of the runtime's user"


def _had_a_process(result: Result) -> bool:
    """Only an error can be without one; all else had one, also where nobody measured it yet."""
    return result.outcome is not ResultOutcome.ERROR or result.memory_mib is not None


def _painted(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def _bare(text: str, colour: str) -> str:  # noqa: ARG001  the same shape as _painted
    return text

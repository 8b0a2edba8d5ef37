"""A log record as a line: for people, for a journal that has its own clock, or as one JSON object.

    2026-11-22T10:15:03.120Z warning: the registry's word is not to be had: timed out (host, run 3f2a81c0)
    <4>the registry's word is not to be had: timed out (host, run 3f2a81c0)
    {"at": "2026-11-22T10:15:03.120Z", "level": "warning", "action": "registry-silent", "message": "…", …}

Whatever a plugin, a registry or a file name brings into a message is hostile text: a line stays one line, and what
shows nothing is its code. JSON is ASCII. A traceback is part of its record, indented, and bounded.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from assess_core.observe.context import About
from assess_registry.client import plain, plain_lines

Style = Literal["text", "priority", "json"]
"""`priority` is what systemd's journal takes on stderr: `<N>`, as syslog(3) counts, and no time of its own."""

MAX_MESSAGE = 8_000
MAX_TRACE = 16_000
"""Characters of one record."""

_HEAD_SHARE = 4
"""Of what is kept of a long traceback, one part of so many is its beginning; what went wrong stands at the end."""

_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""syslog(3); systemd.exec(5), SyslogLevelPrefix."""

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "about", "taskName"}
"""What `logging` itself puts into a record; the rest came with `extra`."""


class Lines(logging.Formatter):
    """Makes lines of one style."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        self._kind = style

    def format(self, record: logging.LogRecord) -> str:
        """The record, without the break at its end."""
        if self._kind == "json":
            return json.dumps(document(record), ensure_ascii=True, allow_nan=False)
        said = _said(record)
        if self._kind == "text":
            word = "" if record.levelno == logging.INFO else f" {_level(record)}:"
            return f"{_at(record)}{word} {said}"
        priority = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(priority + line for line in said.splitlines())


def document(record: logging.LogRecord) -> dict[str, object]:
    """The record for programs; what came with `extra` keeps its name, and other than a number or a flag is text."""
    found: dict[str, object] = {
        "at": _at(record),
        "level": _level(record),
        "action": str(getattr(record, "action", "")),
        "message": plain(message_of(record), max_chars=MAX_MESSAGE),
        "logger": record.name,
    }
    if (about := _about(record)) is not None:
        found |= {"run_id": about.run_id, "assessment": about.assessment}
    for name, value in vars(record).items():
        if name not in _OWN and name not in found:
            found[name] = value if isinstance(value, int) else plain(_shown(value, str), max_chars=MAX_MESSAGE)
    if trace := _trace(record):
        found["trace"] = trace
    return found


def message_of(record: logging.LogRecord) -> str:
    """What the record says, whatever is wrong with its arguments. Never raises."""
    try:
        return record.getMessage()
    except Exception as error:
        said = record.msg if isinstance(record.msg, str) else _shown(record.msg)
        return f"{said} {_shown(record.args)} ({type(error).__name__}: {_shown(error, str)})"


def trace_of(text: str, *, max_chars: int) -> str:
    """A traceback as plain lines; of one that is too long, its beginning and, above all, its end."""
    return _cut(plain_lines(_cut(text, max_chars), max_chars=1 << 30), max_chars)


def _cut(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    head = max_chars // _HEAD_SHARE
    return f"{text[:head]}\n... {len(text) - max_chars} characters ...\n{text[head - max_chars :]}"


def _shown(thing: object, how: Callable[[object], str] = repr) -> str:
    try:
        return how(thing)
    except Exception:
        return f"a {type(thing).__name__} that cannot be shown"


def _said(record: logging.LogRecord) -> str:
    message = plain(message_of(record), max_chars=MAX_MESSAGE)
    if (about := _about(record)) is not None:
        message += f" ({plain(about.assessment)}, run {about.run_id[:8]})"
    trace = _trace(record)
    return message + "".join(f"\n    {line}" for line in trace.splitlines())


def _trace(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return trace_of(logging.Formatter().formatException(record.exc_info), max_chars=MAX_TRACE)


def _about(record: logging.LogRecord) -> About | None:
    about = getattr(record, "about", None)
    return about if isinstance(about, About) else None


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _level(record: logging.LogRecord) -> str:
    return record.levelname.lower()

"""Where log records go: lines on one stream, written by a thread that nobody waits for.

    with log_to(sys.stderr, style="json", level="info") as log:
        ...
        log.recent()        # the last lines, for a crash report

A reader that does not read - a terminal that was stopped with ^S, a journal that restarts - must not stop the runtime:
records wait in a queue of bounded length, and what does not fit is counted and said. Only `cli/` calls this: a library
leaves logging as it is.
"""

import logging
import os
import queue
import select
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TextIO

from assess_core.observe.context import what_about
from assess_core.observe.lines import Lines, Style, message_of
from assess_core.observe.repeats import WINDOW_S, Repeats

Level = Literal["debug", "info", "warning", "error"]

LOGGERS = ("assess_core", "assess_registry", "assess_plugin")
"""Ours. What the libraries below say is told from `warning` on."""

WAITING = 10_000
"""Records that wait for a slow reader."""

LAST_WORDS_S = 2.0
"""For what waits to be written when the program ends."""

ALWAYS = "assess_core.always"
"""Its records from `info` on are told whatever the level is: what has to reach another machine."""

RECENT = 200
"""Lines that a crash report gets."""


def style_of(wanted: Literal["text", "json"], stream: TextIO, environ: Mapping[str, str]) -> Style:
    """`text` is `priority` where the stream leads to systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    if wanted == "json":
        return "json"
    try:
        status = os.fstat(stream.fileno())
    except OSError:  # no file at all, as in a test
        return "text"
    return "priority" if environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}" else "text"


class Log(logging.Handler):
    """Puts records into a queue, and writes them from a thread."""

    def __init__(self, descriptor: int, style: Style) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines = Lines(style)
        self._repeats = Repeats()
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._queue: queue.Queue[str | None] = queue.Queue(WAITING)
        self._lost = 0
        self._thread = threading.Thread(target=self._write, name="assess-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take the record; never waits, and never raises."""
        try:
            self._take(record)
        except Exception as error:
            said = {"name": __name__, "levelno": logging.ERROR, "levelname": "ERROR", "action": "bug"}
            where = (record.name, record.lineno, type(error).__name__)
            text = "what %s says in line %s cannot be shown: %s"
            self._put(self._lines.format(logging.makeLogRecord({**said, "msg": text, "args": where})))

    def _take(self, record: logging.LogRecord) -> None:
        record.about = what_about()
        for summary in self._repeats.over(record.created):
            self._put(self._lines.format(summary))
        line = self._lines.format(record)
        if self._repeats.admits(record, message_of(record)):
            self._put(line)

    def follow(self, *, style: Style, level: Level) -> None:
        """Lines are of this style, and ours are told from this level on, from now on."""
        self._lines = Lines(style)
        for name in LOGGERS:
            logging.getLogger(name).setLevel(level.upper())

    def recent(self) -> tuple[str, ...]:
        """The last lines, the oldest first."""
        return tuple(self._recent)

    def close(self) -> None:
        """Write what waits, within bounds."""
        for summary in self._repeats.over(time.time() + WINDOW_S):
            self._put(self._lines.format(summary))
        try:
            self._queue.put(None, timeout=LAST_WORDS_S)
        except queue.Full:
            pass  # nobody reads: its thread ends with the process
        else:
            self._thread.join(LAST_WORDS_S)
        super().close()

    def _put(self, line: str) -> None:
        self._recent.append(line)
        try:
            if self._lost:
                self._queue.put_nowait(self._told_lost())
                self._lost = 0
            self._queue.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def _told_lost(self) -> str:
        said = {"msg": "%d lines were lost: nobody read them", "args": (self._lost,), "action": "log-lost"}
        return self._lines.format(
            logging.makeLogRecord({"name": __name__, "levelno": logging.ERROR, "levelname": "ERROR", **said})
        )

    def _write(self) -> None:
        while (line := self._queue.get()) is not None:
            # Not through `sys.stderr`: a thread that waits in it holds its lock, and Python dies of that when it ends.
            left = f"{line}\n".encode("utf-8", "backslashreplace")
            while left:
                try:
                    left = left[os.write(self._descriptor, left) :]
                except BlockingIOError:  # somebody who shares it made it so
                    select.select((), (self._descriptor,), (), 1.0)
                except OSError:  # full, or nobody is there any more; there is nowhere to say so
                    break


@contextmanager
def log_to(stream: TextIO, *, style: Style, level: Level) -> Iterator[Log]:
    """Ours from `level` on, and the libraries' warnings, until the end of the block."""
    stream.flush()
    log = Log(stream.fileno(), style)
    root = logging.getLogger()
    before = {name: logging.getLogger(name).level for name in (*LOGGERS, ALWAYS)}
    root.addHandler(log)
    logging.getLogger(ALWAYS).setLevel(logging.INFO)
    log.follow(style=style, level=level)
    try:
        yield log
    finally:
        root.removeHandler(log)
        for name, old in before.items():
            logging.getLogger(name).setLevel(old)
        log.close()

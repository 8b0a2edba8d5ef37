"""A report of what can only be a bug of ours: written down where it happened, with what to attach.

    crashes = Crashes(state / CRASHES, recent=log.recent)
    with crashes.caught():          # unhandled: in threads, while objects are released
        ...
    crashes.report(error)           # handled, and a bug all the same: one assessment ended with it

A report has versions, the machine's kernel, the traceback and the last lines of the log: no value of a variable and
no setting. Names of machines and assessments stand in log lines, and an error says what it says, so it is the operator
who decides whom to show it to; nothing is sent anywhere.
"""

import faulthandler
import hashlib
import logging
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from assess_core.observe.lines import trace_of
from assess_registry.client import atomic_write, plain_lines

CRASHES = "crash"
"""Below the state directory."""

KEPT = 10
"""Reports in the directory; the oldest goes that is not the first or the last of its fault."""

ONCE_S = 3600.0
"""The same crash is written down once in so long, also by processes that follow each other."""

MAX_TRACE = 40_000

_NAMED = "%Y%m%dT%H%M%SZ"
"""How a report's name begins."""

_HEAD = """\
A bug of assess. Please read this, and attach it to a report of the bug: it holds no settings and no variables, but what
the error itself says, and the last lines of the log, which name machines, plugins and assessments."""

FATAL = "fatal.txt"
"""Where Python's own fault handler writes when the process dies of a signal (`faulthandler`)."""

_log = logging.getLogger(__name__)


class Crashes:
    """Writes reports into one directory, which is made when there is something to write.

    Args:
        directory: `<state>/crash`; 0700, its files 0600.
        recent: the last lines of the log.
        about: what else a reader has to know, by name: versions, kinds of things. No values of settings.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        directory: Path,
        *,
        recent: Callable[[], Sequence[str]] = tuple,
        about: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._recent = recent
        self._about = dict(about or {})
        self._clock = clock
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()
        self.count = 0

    def report(self, error: BaseException, *, where: str = "") -> Path | None:
        """Write it down and say so in the log. None: written an hour ago already, or not to be written at all."""
        digest = digest_of(error)
        now = self._clock()
        with self._lock:
            self.count += 1
            if now - self._told.get(digest, float("-inf")) < ONCE_S:
                return None
            self._told[digest] = now
        if (told := self._told_before(digest, now)) is not None:
            text = "this is a bug of assess, not yours: %s; the report %s of an earlier process says what to attach"
            _log.error(text, _last_line(error), told, extra={"action": "bug", "report": str(told)})
            return None
        at = datetime.fromtimestamp(now, UTC)
        path = self._directory / f"{at:{_NAMED}}-{digest}.txt"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic_write(path, self._text(error, at, where).encode("utf-8", "backslashreplace"), mode=0o600)
            self._prune()
        except OSError as refused:
            _log.error("a crash report could not be written: %s", refused, exc_info=error, extra={"action": "bug"})
            return None
        _log.error(
            "this is a bug of assess, not yours: %s; the report %s says what to attach",
            _last_line(error),
            path,
            extra={"action": "bug", "report": str(path)},
        )
        return path

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Whatever nobody catches in a thread, or while an object is released, is reported inside the block.

        A death by signal (SIGSEGV, SIGABRT) leaves the threads' Python frames in `fatal.txt`; the next start keeps
        them as a report.
        """
        thread, unraisable = threading.excepthook, sys.unraisablehook
        threading.excepthook = lambda seen: self._unhandled(seen.exc_value, f"thread {_name(seen.thread)}")
        sys.unraisablehook = lambda seen: self._unhandled(seen.exc_value, f"releasing {_kind(seen.object)}")
        fatal = self._fatal()
        if fatal is not None:
            faulthandler.enable(fatal)
        try:
            yield
        finally:
            threading.excepthook, sys.unraisablehook = thread, unraisable
            if fatal is not None:
                faulthandler.disable()
                os.close(fatal)
                self._drop_empty()

    def _unhandled(self, error: BaseException | None, where: str) -> None:
        if error is not None and not isinstance(error, (SystemExit, KeyboardInterrupt)):
            self.report(error, where=where)

    def _text(self, error: BaseException, at: datetime, where: str) -> str:
        facts = {
            "at": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "where": where or "the main thread",
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            **self._about,
        }
        trace = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
        parts = (
            _HEAD,
            "\n".join(f"{name}: {value}" for name, value in facts.items()),
            trace_of(trace, max_chars=MAX_TRACE),
            "The last lines of the log:\n" + "\n".join(map(plain_lines, self._recent())),
        )
        return "\n\n".join(parts) + "\n"

    def _told_before(self, digest: str, now: float) -> Path | None:
        """The report of this fault that an earlier process wrote less than an hour ago."""
        for path in reversed(reports_in(self._directory)):
            name, _, of = path.stem.partition("-")
            if of == digest and 0 <= now - _time_of(name) < ONCE_S:
                return path
        return None

    def _prune(self) -> None:
        left = list(reports_in(self._directory))
        while len(left) > KEPT:
            faults = [path.stem.partition("-")[2] for path in left]
            between = (n for n, fault in enumerate(faults) if fault in faults[:n] and fault in faults[n + 1 :])
            left.pop(next(between, 0)).unlink(missing_ok=True)

    def _fatal(self) -> int | None:
        """The descriptor of an empty `fatal.txt`; what an earlier process left in it becomes a report."""
        path = self._directory / FATAL
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            if path.is_file() and path.stat().st_size:
                died = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                kept = path.rename(self._directory / f"{died:{_NAMED}}-fatal.txt")
                _log.error("the last run died of a signal: %s", kept, extra={"action": "bug", "report": str(kept)})
                self._prune()
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)
        except OSError as refused:
            _log.warning("no report of a death by signal: %s", refused, extra={"action": "no-fatal-report"})
            return None

    def _drop_empty(self) -> None:
        path = self._directory / FATAL
        if path.is_file() and not path.stat().st_size:
            path.unlink()


def digest_of(error: BaseException) -> str:
    """Twelve hexadecimal digits: the same for the same kind of error from the same places in the code."""
    frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    told = "\n".join([f"{type(error).__module__}.{type(error).__qualname__}", *frames])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def reports_in(directory: Path) -> tuple[Path, ...]:
    """Those that are kept, the oldest first."""
    return tuple(sorted(directory.glob("*Z-*.txt")))


def _time_of(name: str) -> float:
    """Of a report's name; of what has none, long ago."""
    try:
        return datetime.strptime(name, _NAMED).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return float("-inf")


def _last_line(error: BaseException) -> str:
    return "".join(traceback.TracebackException.from_exception(error).format_exception_only()).strip()


def _name(thread: threading.Thread | None) -> str:
    return thread.name if thread is not None else "of no name"


def _kind(thing: object) -> str:
    return type(thing).__qualname__

"""The Pythons of this machine: which there are, which of them plugins may run under, what each accepts.

    known = Interpreters(memory=state / "interpreters.json")
    known.usable(None)          best first; nobody is asked before it is needed
    known.now(interpreter)      what is in its place now

Asking an interpreter means running it. So one is asked only where nobody but root and this user decides what lies
there, and once: what it said is remembered as long as the files it consists of are the same.
"""

import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from assess_core.errors import StoreError
from assess_core.store.interpreter import Build, ask_build, parse_build, running_build
from assess_core.store.jsontext import json_of
from assess_core.store.untouched import PRIVATE
from assess_core.store.values import Interpreter
from assess_core.store.whose import Installation, Print, look_at, who_else, who_may_change
from assess_registry.client import RegistryError, Target, atomic_write, read_bounded

_log = logging.getLogger(__name__)

MEMORY = "interpreters.json"
"""In the state directory: what interpreters have said of themselves."""

PLACES = (
    "/usr/bin",
    "/usr/local/bin",
    "/opt/*/bin",
    "~/.pyenv/versions/*/bin",
    "~/.local/share/uv/python/*/bin",
)
"""Where distributions, builds from source, pyenv and uv put interpreters."""

NAME = re.compile(r"python3\.(1[1-9]|[2-9]\d)\Z", re.ASCII)
"""Of an executable that is looked at; `python3.11-config` and `python3.11-gdb.py` lie in the same directories."""

MAX_MEMORY_BYTES = 1 << 20
MAX_FOUND = 64
"""Executables looked at; a build machine may have hundreds, and each costs 60 ms to ask."""

NO_FILE = "there is no such file"

SCHEMA = 2
"""1: without `imports`."""

FAILED_S = 300.0
"""How long one that failed to answer is not asked again."""

LOOKED_S = 300.0
"""How long nobody looks through a library again of which nothing was replaced: 8,000 files take 0.1 s."""

Ask = Callable[[Path], Mapping[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One Python of this machine, whether or not plugins may run under it.

    Attributes:
        path: as it was configured, or found; of the runtime's own the executable.
        build: what it said; None when it could not be asked.
        problem: why no plugin runs under it; empty when they may.
        own: it is the runtime's.
        configured: `runtime.interpreters` names it.
    """

    path: Path
    build: Build | None
    problem: str = ""
    own: bool = False
    configured: bool = False

    @property
    def interpreter(self) -> Interpreter | None:
        """Whom an environment may be built for; None when no plugin runs under it."""
        return None if self.problem or self.build is None else self.build.interpreter

    @property
    def version(self) -> str:
        """Its version, if it is known."""
        return "" if self.build is None else self.build.interpreter.version


class Interpreters:
    """What is known of this machine's Pythons; from any thread.

    Args:
        configured: if there are any, only these and the runtime's own, the best first.
        memory: file that answers are kept in; where it cannot be written they are asked for again.
        places: directories to look in, as patterns.
        ask: asks an executable (`interpreter.ask_build`).
        clock: seconds that only grow.
    """

    def __init__(
        self,
        *,
        configured: Sequence[Path] = (),
        memory: Path | None = None,
        own: Build | None = None,
        places: Sequence[str] = PLACES,
        ask: Ask = ask_build,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.configured = tuple(configured)
        self._own = own or running_build()
        self._memory = memory
        self._places = tuple(places)
        self._ask = ask
        self._lock = threading.Lock()
        self._clock = clock
        self._answers: dict[str, dict[str, Any]] | None = None
        self._failed: dict[Path, tuple[float, str]] = {}
        self._looked: dict[Path, tuple[float, Print]] = {}

    @property
    def own(self) -> Interpreter:
        """The runtime's."""
        return self._own.interpreter

    def usable(self, first: Interpreter | None = None) -> Iterator[Interpreter]:
        """Those that plugins may run under, the best first: as configured, or the runtime's own and then the newest.

        Of those that are merely found, the newest of each minor version. `first` is before all others if it is one of
        these and nobody has configured an order: what runs stays where it is when another one is installed.
        """
        seen: set[Path] = set()
        ordered: Iterator[Interpreter | None] = (
            (found.interpreter for found in self.found()) if self.configured else self._in_order(first)
        )
        for interpreter in ordered:
            if interpreter is not None and interpreter.path not in seen:
                seen.add(interpreter.path)
                yield interpreter

    def found(self) -> tuple[Found, ...]:
        """Every Python that was configured or found, and the runtime's own; with what keeps plugins from it."""
        own = Found(path=self._own.interpreter.path, build=self._own, own=True)
        if self.configured:
            named = [self._look(path, configured=True) for path in self.configured]
            covered = any(each.build is not None and each.build.interpreter == self.own for each in named)
            return (*named, *(() if covered else (own,)))
        others = [self._look(path) for path in self._listed() if path != own.path]
        return (own, *sorted(others, key=_newest, reverse=True))

    def now(self, interpreter: Interpreter) -> Found:
        """What is in the place of an interpreter for which something was built; its problem says whether it is gone."""
        if interpreter == self.own:
            return Found(path=interpreter.path, build=self._own, own=True)
        return self._look(interpreter.path)

    def require_runnable(self, interpreter: Interpreter) -> None:
        """What was built for this interpreter may be started; another patch release may be in its place.

        Raises:
            StoreError: it is gone, others can change it, or `runtime.interpreters` leaves it out.
        """
        if problem := self.unfit(interpreter):
            raise StoreError(problem)

    def unfit(self, interpreter: Interpreter) -> str:
        """Why nothing that was built for an interpreter is started; empty when it may be."""
        problem = _lost(interpreter, self.now(interpreter))
        if not problem and self.configured and all(each.path != interpreter.path for each in self.usable()):
            return _not_used(interpreter, "it is none of runtime.interpreters")
        return problem

    def change(self, interpreter: Interpreter) -> str:
        """What has become of an interpreter for which something was built; empty when it is as it was."""
        now = self.now(interpreter)
        if lost := _lost(interpreter, now):
            return lost
        if now.build is not None and now.build.interpreter != interpreter:
            return (
                f"its environment is for Python {interpreter.version}, and {interpreter.path} is "
                f"{now.build.interpreter.version} now"
            )
        return ""

    def _in_order(self, first: Interpreter | None) -> Iterator[Interpreter | None]:
        if first is not None and first.path != self.own.path and first.path in self._listed():
            yield self._look(first.path).interpreter
        yield self.own
        minors = {_minor(self.own.version)}
        for each in self.found():
            if each.interpreter is None or _minor(each.version) in minors or _newest(each).is_prerelease:
                continue
            minors.add(_minor(each.version))
            yield each.interpreter

    def _listed(self) -> list[Path]:
        """Executables by the names that interpreters have, each once, links resolved."""
        found: dict[Path, None] = {}
        for place in self._places:
            pattern = Path(place)
            try:
                pattern = pattern.expanduser()
            except RuntimeError:  # this user has no home
                continue
            top, rest = Path(pattern.anchor), str(pattern.relative_to(pattern.anchor))
            try:
                files = [path for directory in sorted(top.glob(rest)) for path in sorted(directory.iterdir())]
            except OSError:  # not there, or not for this user
                continue
            found |= dict.fromkeys(Path(os.path.realpath(path)) for path in files if NAME.match(path.name))
        return list(found)[:MAX_FOUND]

    def _look(self, path: Path, *, configured: bool = False) -> Found:
        build: Build | None = None
        try:
            executable, problem = self._owned(path)
            if not problem:
                facts, problem = self._answer(executable)
            if not problem:
                build = parse_build(facts)
                if build.interpreter.path != executable:  # remembered, and what it said of then
                    _, problem = self._owned(build.interpreter.path)
                problem = problem or unlike(build, self._own)
        except FileNotFoundError:
            problem = NO_FILE
        except OSError as error:
            problem = f"it may not be looked at: {error.strerror}"
        return Found(path=path, build=build, problem=problem, configured=configured)

    def _owned(self, path: Path) -> tuple[Path, str]:
        """What is run by this path, links resolved, and who else can change it or what it would import.

        Raises:
            OSError: it is not there, or may not be looked at.
        """
        installation = look_at(path)
        if problem := installation.problem or self._changeable(installation):
            return installation.executable, f"others can change it: {problem}"
        return installation.executable, ""

    def _changeable(self, installation: Installation) -> str:
        at, print_ = self._looked.get(installation.executable, (0.0, ()))
        if print_ == installation.print and self._clock() < at + LOOKED_S:
            return ""
        problem = who_may_change(installation)
        if not problem:
            self._looked[installation.executable] = (self._clock(), installation.print)
        return problem

    def _answer(self, path: Path) -> tuple[Mapping[str, str], str]:
        """What the executable says of itself, or said the last time; else why it did not.

        A failure is not remembered for long, nor for others: it may have been the machine's, which had no room.
        """
        with self._lock:
            answers = self._remembered()
            known = answers.get(str(path))
            if known is not None and _still(known["seen"]):
                return known["facts"], ""
            at, problem = self._failed.get(path, (0.0, ""))
            if problem and self._clock() < at + FAILED_S:
                return {}, problem
            try:
                facts = self._ask(path)
                self._require_looked_at(path, facts)
            except (StoreError, OSError) as error:
                self._failed[path] = (self._clock(), str(error))
                return {}, str(error)
            parts = {str(path), facts["path"], *([facts["library"]] if facts["library"] else [])}
            seen = [[part, *(_print_of(part) or ())] for part in sorted(parts)]
            answers[str(path)] = {"seen": seen, "facts": dict(facts)}
            self._remember(answers)
            return facts, ""

    def _require_looked_at(self, path: Path, facts: Mapping[str, str]) -> None:
        """What it says it consists of is what was looked at before it ran; or nobody else's, at least.

        Raises:
            StoreError, OSError: others can change something of it.
        """
        build = parse_build(facts)
        if build.interpreter.path != path:
            _, problem = self._owned(build.interpreter.path)
            if problem:
                raise StoreError(problem)
        libraries = look_at(build.interpreter.path).libraries
        for place in map(Path, filter(None, facts["imports"].split(os.pathsep))):
            known = any(place.is_relative_to(library) for library in libraries)
            if not known and not (place.suffix == ".zip" and place.parent in {each.parent for each in libraries}):
                raise StoreError(f"it imports from {place}, which is not its standard library")
        if build.library and (problem := who_else(Path(build.library))):
            raise StoreError(f"others can change it: {problem}")

    def _remembered(self) -> dict[str, dict[str, Any]]:
        if self._answers is None:
            self._answers = {}
            if self._memory is not None:
                self._answers = _decoded(self._memory)
        return self._answers

    def _remember(self, answers: dict[str, dict[str, Any]]) -> None:
        if self._memory is None or not self._memory.parent.is_dir():
            return
        for path in [path for path in answers if not Path(path).exists()]:
            del answers[path]
        data = json.dumps({"schema": SCHEMA, "interpreters": answers}, indent=1).encode()
        try:
            atomic_write(self._memory, data, mode=PRIVATE)
        except OSError as error:  # asked again the next time
            _log.debug("%s: %s", self._memory, error, extra={"action": "interpreters-not-remembered"})


def missing(interpreter: Interpreter) -> str:
    """What to say of something that was built for an interpreter which is not there any more."""
    return f"its environment needs Python {interpreter.version}, which was {interpreter.path}; that is gone"


def _lost(interpreter: Interpreter, now: Found) -> str:
    if now.problem == NO_FILE:
        return missing(interpreter)
    return _not_used(interpreter, now.problem) if now.problem else ""


def _not_used(interpreter: Interpreter, problem: str) -> str:
    return f"its environment needs {interpreter.path}, which is not used any more: {problem}"


@cache
def target_of(interpreter: Interpreter) -> Target:
    """Which wheels and markers an interpreter of this machine accepts."""
    if interpreter == running_build().interpreter:
        return Target.running()
    return Target.cpython(interpreter.version, platforms=platforms_here())


@cache
def platforms_here() -> tuple[str, ...]:
    """The platform tags that this machine accepts, the best first."""
    return tuple(dict.fromkeys(tag.platform for tag in Target.running().tags if tag.platform != "any"))


def unlike(build: Build, own: Build) -> str:
    """Why plugins are not run under this one by a runtime that itself runs under `own`; empty when they are."""
    it, ours = build.interpreter, own.interpreter
    if it == ours:
        return ""
    if build.implementation != "cpython":
        return f"it is {build.implementation}, and plugins run under CPython besides the runtime's own"
    if "t" in build.abiflags:
        return "it is built without a global interpreter lock, for which plugins are not locked"
    if it.platform != ours.platform or _triplet(it) != _triplet(ours):
        return f"it is for {_triplet(it) or it.platform}, and this runtime is for {_triplet(ours) or ours.platform}"
    if build.libc != own.libc:
        return f"it runs with {build.libc or 'another C library'}, and this runtime with {own.libc or 'another one'}"
    return ""


def _triplet(interpreter: Interpreter) -> str:
    """`cpython-311-x86_64-linux-gnu` -> `x86_64-linux-gnu`."""
    return "-".join(interpreter.soabi.split("-")[2:])


def _minor(version: str) -> tuple[int, ...]:
    return Version(version.rstrip("+")).release[:2]


def _newest(found: Found) -> Version:
    try:
        return Version(found.version.rstrip("+"))
    except InvalidVersion:
        return Version("0")


def _print_of(path: str) -> list[int] | None:
    """What changes when a file is replaced or written; None when it is not there."""
    try:
        status = os.stat(path)  # noqa: PTH116  a string, often
    except (OSError, ValueError):  # or no path
        return None
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]


def _still(seen: object) -> bool:
    if not isinstance(seen, list) or not seen:
        return False
    return all(isinstance(part, list) and part and part[1:] == _print_of(str(part[0])) for part in seen)


def _decoded(path: Path) -> dict[str, dict[str, Any]]:
    """What was remembered; what cannot be read is asked for again."""
    try:
        document = json_of(read_bounded(path, MAX_MEMORY_BYTES))
        if document["schema"] != SCHEMA:
            return {}
        answers = {str(asked): dict(answer) for asked, answer in document["interpreters"].items()}
        for answer in answers.values():
            parse_build(answer["facts"])
            if not isinstance(answer["seen"], list):
                return {}
    except (OSError, RegistryError, StoreError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return answers

"""Bytecode of another interpreter, compared with its source by that interpreter.

What a code object consists of and what a source compiles to differ from version to version; so one that is still here
is asked. It runs our own `codeform.py` and nothing else: neither the bytecode nor what lies in the environment.
"""

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assess_core.store.codeform import PAIR
from assess_core.store.interpreters import Interpreters
from assess_core.store.values import Interpreter

TIMEOUT_S = 600.0
"""For all modules of one wheel: compiling the largest we know takes half a minute."""

_PROGRAM = Path(__file__).with_name("codeform.py")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A bytecode file and the source that it has to come from."""

    path: str
    bytecode: bytes
    source: bytes
    level: int


class UncomparableError(Exception):
    """Nobody can say whether this bytecode is right; the message says why."""


class Judges:
    """Who compares bytecode of which kind.

    Args:
        interpreters: those of this machine.
        built_for: whom the environment was built for, as its records say; preferred to others of the same kind.
    """

    def __init__(self, interpreters: Interpreters, built_for: Sequence[Interpreter] = ()) -> None:
        self._interpreters = interpreters
        self._built_for = tuple(built_for)

    def of(self, built_for: Iterable[Interpreter]) -> "Judges":
        """The same for an environment that was built for these."""
        return Judges(self._interpreters, tuple(built_for))

    def same(self, tag: str, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, bool]]:
        """Each pair with whether its bytecode is what its source compiles to under the interpreter with this tag.

        Raises:
            UncomparableError: there is none here, or it failed.
        """
        judge = self._judge(tag)
        packed = [(PAIR.pack(pair.level, len(pair.bytecode), len(pair.source)), pair) for pair in pairs]
        try:
            done = subprocess.run(
                [judge.path, "-I", "-S", "-B", _PROGRAM],
                input=b"".join(part for head, pair in packed for part in (head, pair.bytecode, pair.source)),
                capture_output=True,
                timeout=TIMEOUT_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise UncomparableError(f"{judge.path} could not compare it: {error}") from error
        if len(done.stdout) != len(pairs):
            raise UncomparableError(f"{judge.path} could not compare it: {len(done.stdout)} answers to {len(pairs)}")
        for pair, said in zip(pairs, done.stdout, strict=True):
            yield pair, said == ord("1")

    def _judge(self, tag: str) -> Interpreter:
        for interpreter in self._built_for:
            here = self._interpreters.now(interpreter).interpreter if interpreter.cache_tag == tag else None
            if here is not None and here.cache_tag == tag:
                return here
        for interpreter in self._interpreters.usable():
            if interpreter.cache_tag == tag:
                return interpreter
        became = next((self._interpreters.change(each) for each in self._built_for if each.cache_tag == tag), "")
        raise UncomparableError(
            f"bytecode of {tag} can only be compared by that Python, and there is none here that may be run"
            + (f": {became}" if became else "")
        )

"""Holds a program back until its lifeline is armed, so that a runtime killed in between leaves no orphan.

The kernel arms the lifeline for a process that exists, only, and a process that exists may have run its program since.
Code of ours between fork and exec is not safe in a process with threads; so this process's own interpreter is
started, waits for one byte - or for the end of whoever was to write it - and becomes the program. It costs about 8 ms.
A worker needs none: it reads the end of its socket before it does anything.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from types import TracebackType

# Python ignores two signals, which the program would inherit. `fails` closes as the program starts. The two built-in
# modules are what `os` and `signal` are made of, and come without what those import: half the time.
_CODE = """\
import _signal, posix, sys
held, fails = int(sys.argv[1]), int(sys.argv[2])
if not posix.read(held, 1):
    posix._exit(1)
posix.close(held)
posix.set_inheritable(fails, False)
_signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
_signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
try:
    posix.execv(sys.argv[3], sys.argv[4:])
except OSError as error:
    posix.write(fails, str(error.errno).encode())
posix._exit(1)
"""


class Gate:
    """A context, at whose end its descriptors are closed; a process that waits still then goes without a trace."""

    def __init__(self) -> None:
        self._closing = ExitStack()
        self._held, self._go = self._pipe()
        self._failed, self._fails = self._pipe()

    def __enter__(self) -> "Gate":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def inherit(self) -> tuple[int, ...]:
        """What the process needs of ours."""
        return self._held.fileno(), self._fails.fileno()

    def argv(self, program: str, argv: Sequence[str | Path]) -> list[str | Path]:
        """What to start in place of the program."""
        return [sys.executable, "-I", "-S", "-c", _CODE, *map(str, self.inherit), program, *argv]

    def open(self) -> None:
        """The process has become the program.

        Raises:
            OSError: it could not.
        """
        self._go.write(b"\n")
        self._fails.close()  # or its end would never come
        number = self._failed.read(16)
        if number:
            raise OSError(int(number), os.strerror(int(number)))

    def _pipe(self) -> tuple[FileIO, FileIO]:
        reads, writes = os.pipe2(os.O_CLOEXEC)
        return self._closing.enter_context(FileIO(reads)), self._closing.enter_context(FileIO(writes, "w"))

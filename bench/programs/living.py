"""`assess`, and beside it a thread that writes down what lives in its memory, which nobody can see from outside.

    python -m bench.programs.living FILE up --config assess.toml

FILE has a line for each look, `BLOCKS BYTES`: blocks that Python has given out, and bytes that malloc has, SQLite's
pages among them (glibc 2.33 or later). A process that grows while these stand keeps what it once needed at a peak.
"""

import ctypes
import sys
import threading
import time
from pathlib import Path

from assess_core.cli import main

EVERY_S = 5.0

_FIELDS = "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"


class _Given(ctypes.Structure):
    """`struct mallinfo2` of malloc.h."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


def witness(path: Path) -> None:
    """From now on there is a line more in this file every few seconds."""
    threading.Thread(target=_write, args=(path,), name="witness", daemon=True).start()


def _write(path: Path) -> None:
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Given
    with path.open("w", buffering=1) as file:
        while True:
            given = mallinfo2()
            print(sys.getallocatedblocks(), given.uordblks + given.hblkhd, file=file)
            time.sleep(EVERY_S)


if __name__ == "__main__":
    witness(Path(sys.argv.pop(1)))
    sys.exit(main())

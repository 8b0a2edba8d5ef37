"""The command `assess`: argv in, one function called, text out, exit code.

Whatever takes time to import is imported inside `main`, so that a signal finds it there.
"""

import sys
from collections.abc import Sequence

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """As `app.main`, whenever a signal comes."""
    try:
        if argv is None and sys.argv[1:2] == ["up"]:  # a process of its own
            from assess_core.up.held_back import hold_back

            hold_back()
        from assess_core.cli.app import main as run

        return run(argv)
    except KeyboardInterrupt:  # nothing was begun yet
        return INTERRUPTED


__all__ = ["main"]

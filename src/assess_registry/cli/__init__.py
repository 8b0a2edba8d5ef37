"""The command `assess-registry`: argv in, exit code out.

Whatever takes time to import is imported inside `main`, so that Ctrl-C finds it there.
"""

from collections.abc import Sequence

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """As `app.main`, whenever it is interrupted."""
    try:
        from assess_registry.cli.app import main as run

        return run(argv)
    except KeyboardInterrupt:  # nothing was begun yet
        return INTERRUPTED


__all__ = ["main"]

"""bandit as a program without its quadratic part: the same arguments, the same answers.

For each text in a file and each test of it, the tool lists all lines of the expression around that text, and looks in
each for a comment that silences it: a table of 8,000 lines takes 11 s (measured: docs/benchmarks.md). Here the list is
made once for an expression, and where `--ignore-nosec` has left no such comment, none is looked for.

That is true of the versions it was compared with, in a test, too. Of any other version nothing is changed.
"""

import ast
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from assess_registry.audit.programs import BANDIT_VERSIONS

try:
    from bandit import __version__ as version  # type: ignore[import-untyped]  # it has no annotations
    from bandit.cli.main import main  # type: ignore[import-untyped]  # the same
    from bandit.core import utils  # type: ignore[import-untyped]  # the same
except ModuleNotFoundError:
    sys.exit("No module named bandit")  # in the interpreter's words, by which a missing tool is known

MANY_LINES = 32
"""An expression of fewer is listed anew each time: its list costs less than to look for it."""

MAX_LISTED = 8
"""Lists that are kept; the texts of one expression follow each other."""

_linerange = utils.linerange
_get_nosec = utils.get_nosec


def linerange(node: Any) -> list[int]:
    """The numbers of a node's lines; what has a place of its own has it for good."""
    if not hasattr(node, "lineno") or node.end_lineno - node.lineno < MANY_LINES:
        return list(_linerange(node))
    return _listed(node)


@lru_cache(maxsize=MAX_LISTED)
def _listed(node: ast.AST) -> list[int]:
    return list(_linerange(node))


def get_nosec(nosec_lines: Mapping[int, set[str]], context: Mapping[str, Any]) -> set[str] | None:
    """The tests that a comment on one of these lines silences; None where there is no comment."""
    found: set[str] | None = _get_nosec(nosec_lines, context) if nosec_lines else None
    return found


if __name__ == "__main__":
    if version in BANDIT_VERSIONS:
        utils.linerange = linerange
        utils.get_nosec = get_nosec
    sys.exit(main())

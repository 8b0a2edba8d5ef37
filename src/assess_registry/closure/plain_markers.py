"""Comparisons with a Python version that only text can decide, said in versions, which nobody reads in two ways.

PEP 508: on a version, `in`, `not in` and whatever is no valid comparison of versions (PEP 440) are what they are for
strings in Python. `packaging`, and so pip, does that. uv reads `in` as a list of versions between blanks, and takes
what it cannot read so for always true. So it is asked in words that both read alike; what is true is found out by
asking `packaging` of every Python.

    plain(Marker('python_version not in "3.11, 3.12"'))
    # python_version < "3.11" or python_version >= "3.13"
"""

import functools
import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from packaging.markers import Marker, UndefinedComparison
from packaging.version import InvalidVersion

from assess_registry.closure.environments import LAST_MINOR

FIRST_MINOR = 4
"""The first Python that came with pip. By text, `"3.1"` is in `"3.11"`, and nobody means that."""

LAST_MICRO = 99
"""No Python has had a third of it."""

MAX_RUNS = 64
"""Of successive Pythons, in what one comparison comes to; `"3.12" in python_full_version` comes to 10, 3.13.12 among
them."""

_VALUE = r"(?:\"[^\"]*\"|'[^']*')"
_COMPARISON = re.compile(
    rf"(?P<left>[a-z_]+|{_VALUE}) (?P<operator>===|[<>=!~]=|[<>]|in|not in) (?P<right>[a-z_]+|{_VALUE})"
)
_VERSIONS = ("python_version", "python_full_version", "implementation_version")
_SAME_TO_ALL = re.compile(
    r"""[a-z_]+ (?:(?:==|!=) ["']\d+(?:\.\d+)*(?:\.\*)?["']|(?:[<>]=?|~=) ["']\d+(?:\.\d+)*["'])\Z"""
)
"""A variable compared with a final release, or with a series of them."""


def plain(marker: Marker) -> Marker | None:
    """The marker in words that everybody reads alike; None when there are none.

    What nobody can evaluate stays as it is, and is refused where somebody needs to know.
    """
    texts: list[str] = []
    at = 0
    text = str(marker)
    for found in _COMPARISON.finditer(text):
        said = _said(found[0], found["left"], found["right"])
        if said is None:
            return None
        texts += [text[at : found.start()], said]
        at = found.end()
    rewritten = "".join([*texts, text[at:]])
    return marker if rewritten == text else Marker(rewritten)


def _said(comparison: str, left: str, right: str) -> str | None:
    variable = next((each for each in (left, right) if each in _VERSIONS), None)
    if variable is None or _SAME_TO_ALL.match(comparison):
        return comparison
    try:
        return _in_versions(comparison, variable)
    except (UndefinedComparison, InvalidVersion):
        return comparison


@functools.lru_cache(maxsize=256)
def _in_versions(comparison: str, variable: str) -> str | None:
    """Bounds of the runs of successive Pythons for which the comparison is true."""
    pythons, asked = _pythons(variable), Marker(comparison)
    truth = [asked.evaluate({variable: python}) for python in pythons]
    runs = list(_runs(truth))
    if len(runs) > MAX_RUNS:
        return None
    bounds = [_bounds(variable, pythons, first, last) for first, last in runs]
    if not bounds:
        return f'{variable} < "3"'
    return bounds[0] if len(bounds) == 1 and " and " not in bounds[0] else f"({' or '.join(bounds)})"


def _runs(truth: Sequence[bool]) -> Iterator[tuple[int, int]]:
    at = 0
    for value, group in groupby(truth):
        length = sum(1 for _ in group)
        if value:
            yield at, at + length - 1
        at += length


def _bounds(variable: str, pythons: Sequence[str], first: int, last: int) -> str:
    # Open at both ends of what was asked of: nothing is said there, and nobody runs plugins there.
    lower = f'{variable} >= "{pythons[first]}"' if first else ""
    upper = f'{variable} < "{pythons[last + 1]}"' if last + 1 < len(pythons) else ""
    return " and ".join(filter(None, (lower, upper))) or f'{variable} >= "3"'


@functools.cache
def _pythons(variable: str) -> tuple[str, ...]:
    minors = [f"3.{minor}" for minor in range(FIRST_MINOR, LAST_MINOR + 1)]
    if variable == "python_version":
        return tuple(minors)
    return tuple(f"{python}.{micro}" for python in minors for micro in range(LAST_MICRO + 1))

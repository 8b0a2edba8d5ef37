"""When a project belongs to a closure, in as few words as are true.

uv says of every project all that holds where it is needed, the platform and the Pythons of the targets included. That
belongs to the whole lock, once. Words are left out here as long as a table of truth - on each environment, is the
project needed? - stays what it is, and that table does not come from uv.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from packaging.markers import Marker

Truth = Sequence[tuple[Mapping[str, str], bool]]
"""Environments, each with whether the project is needed there."""

_COMPARISON = r"[a-z_]+ (?:[<>=!~]+|in|not in) (?:'[^']*'|\"[^\"]*\")"
_TERM = re.compile(rf"{_COMPARISON}(?: and {_COMPARISON})*\Z")
_PLATFORM = ("os_name", "sys_platform", "platform_system", "platform_machine", "implementation_name",
             "platform_python_implementation")  # fmt: skip
_PYTHON = ("python_full_version", "python_version")


def simplest(marker: Marker | None, truth: Truth) -> Marker | None:
    """A marker that is true where the project is needed and nowhere else; None for always.

    Raises:
        ValueError: not even the marker as it was given says so.
    """
    for candidate in _candidates(marker):
        if all((candidate is None or candidate.evaluate(dict(environment))) == needed for environment, needed in truth):
            return candidate
    raise ValueError(str(marker))


def _candidates(marker: Marker | None) -> Iterator[Marker | None]:
    """Shortest first: without anything, without words on platforms, without some of them, as it was."""
    yield None
    if marker is None:
        return
    terms = _terms(str(marker))
    if terms is not None:
        for without in _droppable():
            shorter = [[each for each in term if each.split(" ", 1)[0] not in without] for term in terms]
            if all(shorter):
                yield _marker(shorter)
        for text in dict.fromkeys(each for term in terms for each in term):
            if text.startswith(_PYTHON):
                yield Marker(text)
    yield marker


def _droppable() -> Iterator[tuple[str, ...]]:
    rest = _PLATFORM
    yield (*rest, *_PYTHON)
    yield rest
    for kept in ("platform_machine", "sys_platform", "implementation_name"):
        yield tuple(name for name in (*rest, *_PYTHON) if name != kept)
        yield tuple(name for name in rest if name != kept)


def _terms(text: str) -> list[list[str]] | None:
    """A marker as alternatives of conditions; None where it is nested deeper than that."""
    alternatives = [each.removeprefix("(").removesuffix(")") for each in text.split(" or ")]
    if not all(_TERM.match(each) for each in alternatives):
        return None
    return [each.split(" and ") for each in alternatives]


def _marker(terms: Sequence[Sequence[str]]) -> Marker:
    unique = dict.fromkeys(" and ".join(term) for term in terms)
    return Marker(" or ".join(f"({term})" if len(unique) > 1 else term for term in unique))

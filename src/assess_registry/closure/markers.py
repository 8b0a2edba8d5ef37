"""When a project belongs to a closure, in as few words as are true.

uv says of every project all that holds where it is needed, the platform and the Pythons of the targets included. That
belongs to the whole lock, once. Words are left out here as long as a table of truth - on each environment, is the
project needed? - stays what it is, and that table does not come from uv.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from packaging.markers import Marker

Truth = Sequence[tuple[Mapping[str, str], bool]]
"""Environments, each with whether the project is needed there."""

_COMPARISON = r"[a-z_]+ (?:[<>=!~]+|in|not in) (?:'[^']*'|\"[^\"]*\")"
_TERM = re.compile(rf"{_COMPARISON}(?: and {_COMPARISON})*\Z")
_PYTHON = ("python_full_version", "python_version")

FAMILIES: Mapping[str, str] = {
    "os_name": "sys_platform",
    "sys_platform": "sys_platform",
    "platform_system": "sys_platform",
    "platform_release": "sys_platform",
    "platform_version": "sys_platform",
    "platform_machine": "platform_machine",
    "implementation_name": "implementation_name",
    "implementation_version": "implementation_name",
    "platform_python_implementation": "implementation_name",
}
"""Variable of a marker -> the one that stands for all that say the same of a platform."""


def asked_about(markers: Iterable[str]) -> frozenset[str]:
    """What of a platform these markers depend on."""
    words = set(re.findall(r"[a-z_]+", " ".join(re.sub(r"\"[^\"]*\"|'[^']*'", "", marker) for marker in markers)))
    return frozenset(FAMILIES[word] for word in words if word in FAMILIES)


def simplest(marker: Marker | None, truth: Truth, asked: frozenset[str]) -> Marker | None:
    """A marker that is true where the project is needed and nowhere else; None for always.

    Args:
        marker: what the resolver said.
        truth: every environment that differs from others in what was asked about or in Python.
        asked: what requirements ask about; a shorter marker speaks of nothing else, or it would be true by accident.

    Raises:
        ValueError: not even the marker as it was given says so.
    """
    for candidate in _candidates(marker, asked):
        if all((candidate is None or candidate.evaluate(dict(environment))) == needed for environment, needed in truth):
            return candidate
    raise ValueError(str(marker))


def _candidates(marker: Marker | None, asked: frozenset[str]) -> Iterator[Marker | None]:
    """Shortest first: always, by Python alone, by platform alone, by both, as it was."""
    yield None
    if marker is None:
        return
    terms = _terms(str(marker)) or []
    for kept in (_PYTHON, tuple(sorted(asked)), (*_PYTHON, *sorted(asked)), (*_PYTHON, *_members(asked))):
        shorter = [[each for each in term if each.split(" ", 1)[0] in kept] for term in terms]
        if terms and all(shorter):
            yield _marker(shorter)
    yield marker


def _members(asked: frozenset[str]) -> Iterator[str]:
    yield from (variable for variable, family in FAMILIES.items() if family in asked)


def _terms(text: str) -> list[list[str]] | None:
    """A marker as alternatives of conditions; None where it is nested deeper than that."""
    alternatives = [each.removeprefix("(").removesuffix(")") for each in text.split(" or ")]
    if not all(_TERM.match(each) for each in alternatives):
        return None
    return [each.split(" and ") for each in alternatives]


def _marker(terms: Sequence[Sequence[str]]) -> Marker:
    unique = dict.fromkeys(" and ".join(term) for term in terms)
    return Marker(" or ".join(f"({term})" if len(unique) > 1 else term for term in unique))

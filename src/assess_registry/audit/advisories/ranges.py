"""Is a version affected? The OSV schema's evaluation, in the order of PEP 440; "cannot tell" is an answer of its own.

Rules: OSV schema 1.7, "affected[].versions", "affected[].ranges[].events" and "Evaluation". Where they leave a choice,
the one that reports more is taken: a local version (`1.0+acme.1`) is affected when its public version is, and of two
events at one version the end of a range comes before the next beginning.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from assess_registry.audit.advisories.values import Affected, Range

_KINDS = ("fixed", "introduced", "last_affected", "limit")
_ORDER = {kind: place for place, kind in enumerate(_KINDS)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Whether a version is affected; `uncertain` says why nobody can tell, and then `affected` is False."""

    affected: bool
    uncertain: str = ""


class _UnknownError(Exception):
    """A range that cannot be compared with a version."""


def decide(version: str, affected: Iterable[Affected]) -> Decision:
    """Whether this version has the vulnerability, by any of the statements; certain beats uncertain."""
    try:
        asked = _spellings(Version(version))
    except InvalidVersion:
        return Decision(affected=False, uncertain=f"{version!r} is not a version that can be compared (PEP 440)")
    reasons: list[str] = []
    for statement in affected:
        decision = _decide(asked, statement)
        if decision.affected:
            return decision
        reasons += [decision.uncertain] if decision.uncertain else []
    return Decision(affected=False, uncertain="; ".join(dict.fromkeys(reasons)))


def fixed_versions(version: str, affected: Iterable[Affected]) -> tuple[str, ...]:
    """The versions above this one that the ranges name as repaired, lowest first."""
    fixes = {
        fixed
        for statement in affected
        for span in statement.ranges
        if span.type == "ECOSYSTEM"
        for kind, text in span.events
        if kind == "fixed" and (fixed := _parsed(text)) is not None
    }
    asked = _parsed(version)
    return tuple(str(fixed) for fixed in sorted(fixes) if asked is None or fixed > asked)


def _decide(asked: Sequence[Version], statement: Affected) -> Decision:
    # A listed text that is no version of PEP 440 names a file of the old days; no wheel we inspect can be called that.
    listed = {parsed for text in statement.versions if (parsed := _parsed(text)) is not None}
    if any(version in listed for version in asked):
        return Decision(affected=True)
    reasons: list[str] = []
    compared = bool(statement.versions)
    for span in statement.ranges:
        if span.type == "GIT":
            continue  # commits, given beside versions; they count only where there is nothing else, below
        compared = True
        try:
            if any(_contains(span, version) for version in asked):
                return Decision(affected=True)
        except _UnknownError as unknown:
            reasons.append(str(unknown))
    if not compared:
        reasons.append("it names commits only, no versions" if statement.ranges else "it names no versions")
    return Decision(affected=False, uncertain="; ".join(dict.fromkeys(reasons)))


def _contains(span: Range, version: Version) -> bool:
    if span.type != "ECOSYSTEM":
        raise _UnknownError(f"it has a range of type {span.type!r}, which cannot be compared with versions of PEP 440")
    events = sorted(((kind, _bound(kind, text)) for kind, text in span.events), key=_place)
    if not any(kind == "introduced" for kind, _ in events):
        raise _UnknownError("it has a range without a beginning")
    limits = [bound for kind, bound in events if kind == "limit" and bound is not None]
    if limits and not any(version < limit for limit in limits):
        return False
    inside = False
    for kind, bound in events:
        if kind == "introduced" and (bound is None or version >= bound):
            inside = True
        elif bound is not None and (
            (kind == "fixed" and version >= bound) or (kind == "last_affected" and version > bound)
        ):
            inside = False
    return inside


def _bound(kind: str, text: str) -> Version | None:
    """None is before every version where something is introduced, and beyond every one where it is limited."""
    if kind not in _KINDS:
        raise _UnknownError(f"it has an event {kind!r}, which nobody here knows")
    if (kind, text) in (("introduced", "0"), ("limit", "*")):
        return None
    parsed = _parsed(text)
    if parsed is None:
        raise _UnknownError(f"it has a range that ends or begins at {text!r}, which is no version (PEP 440)")
    return parsed


def _place(event: tuple[str, Version | None]) -> tuple[bool, Version, int]:
    kind, bound = event
    return bound is not None, bound or Version("0"), _ORDER[kind]


def _spellings(version: Version) -> tuple[Version, ...]:
    return (version,) if version.local is None else (version, Version(version.public))


def _parsed(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None

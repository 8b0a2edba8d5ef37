"""May a project of this name be published here, and could a reader take it for another?

Names are compared as people misread and mistype them: by the letters they look like, and by the number of slips of a
typing hand between them. A name of the publisher who owns the other one, too, deceives nobody.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from assess_registry.audit.context import Context
from assess_registry.audit.values import Examination, Finding, Subject

NAME = "naming"

_RULE = "docs/policy.md: names"
_LOOKS_LIKE = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("i", "l"), ("-", ""), ("_", ""), (".", ""))
_SHORT, _MIDDLE = 4, 8
"""Names under 4 characters are all close to each other; from 8 on, two slips go unnoticed."""


def examine(subject: Subject, context: Context) -> Examination:
    """Look for a publisher whose patterns admit the project, for reserved names, and for names close to others."""
    project = subject.wheel.project
    owners = owners_of(project, context.publishers)
    return Examination(check=NAME, findings=findings_of(project, context), facts={"publishers": list(owners)})


def findings_of(project: str, context: Context) -> tuple[Finding, ...]:
    """What is to be said of this name, whether or not there is a wheel of it yet."""
    owners = owners_of(project, context.publishers)
    findings = [*_ownership(project, owners, context), *_reserved(project, context)]
    if project not in context.published:
        findings += _look_alikes(project, owners, context)
    return tuple(findings)


def owners_of(project: str, publishers: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    """Names of the publishers whose patterns admit the project."""
    return tuple(name for name, patterns in publishers if any(fnmatchcase(project, each) for each in patterns))


def skeleton(name: str) -> str:
    """What is left of a name when everything that looks alike is alike."""
    for seen, meant in _LOOKS_LIKE:
        name = name.replace(seen, meant)
    return name


def distance(one: str, other: str, *, limit: int = 2) -> int:
    """Letters to insert, delete, replace, or swap with their neighbour (Damerau; optimal string alignment).

    Stops early: anything above `limit` is `limit + 1`.
    """
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(*row, *before) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


def _ownership(project: str, owners: tuple[str, ...], context: Context) -> Iterator[Finding]:
    if context.publishers and not owners:
        yield Finding(
            id="unknown-publisher",
            severity="medium",
            entry="",
            message=f"no publisher's patterns admit the project {project}",
            advice="add it to projects of its [publishers.NAME]",
            rule=_RULE,
        )


def _reserved(project: str, context: Context) -> Iterator[Finding]:
    if project in context.reserved:
        message = f"the name {project} is reserved"
        yield Finding(id="reserved-name", severity="high", entry="", message=message, rule=_RULE)
    for prefix in sorted(context.reserved_prefixes):
        # Whoever owns a pattern that begins with the prefix itself was given it; `*` was not meant to include it.
        given = [(name, tuple(each for each in every if each.startswith(prefix))) for name, every in context.publishers]
        if project.startswith(prefix) and not owners_of(project, given):
            message = f"names that begin with {prefix!r} are reserved, and no publisher was given them"
            yield Finding(id="reserved-prefix", severity="high", entry="", message=message, rule=_RULE)


def _look_alikes(project: str, owners: tuple[str, ...], context: Context) -> Iterator[Finding]:
    for other in sorted({*context.published, *context.reserved} - {project}):
        if set(owners) & set(owners_of(other, context.publishers)):
            continue
        what = "published" if other in context.published else "reserved"
        if skeleton(project) == skeleton(other):
            message = f"{project} looks like {other}, which is {what}"
            yield Finding(id="confusable-name", severity="high", entry="", message=message, rule=_RULE)
        elif 0 < (slips := distance(project, other)) <= _tolerated(project, other):
            message = f"{project} is {slips} {'letter' if slips == 1 else 'letters'} away from {other}, which is {what}"
            yield Finding(id="look-alike-name", severity="medium", entry="", message=message, rule=_RULE)


def _tolerated(one: str, other: str) -> int:
    length = min(len(one), len(other))
    return 0 if length < _SHORT else 1 if length < _MIDDLE else 2

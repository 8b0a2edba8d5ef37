"""Under which of this machine's Pythons a plugin runs: the best one that its lock serves.

    chosen = choose(requirement, registry=registry, interpreters=interpreters, before=served_before(name, store))
    verify(fetch(chosen.resolved, registry=registry), registry=registry, target=chosen.target)

The version comes first and does not depend on the interpreter: the highest that is asked for, or none (ADR 6). Then the
interpreters are tried, the best first; another one is tried only where this one is what is in the way. What runs stays
under the interpreter it runs under as long as that serves it, unless an order was configured (ADR 24).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement

from assess_core.errors import StoreError
from assess_core.store import DamagedError, InstalledPlugin, Interpreter, Interpreters, Store, platforms_here, target_of
from assess_registry.client import (
    Issue,
    ProjectName,
    Registry,
    RegistryError,
    ResolvedWheel,
    Target,
    UnservedError,
    resolve,
)
from assess_registry.folder import Candidates, FolderPlugin

MINORS = range(11, 21)
"""Of Python 3, of which it is said whether they would do: from the oldest that plugins may be written for."""

_PATCH = 99
"""Stands for any patch release when only the minor version is in question: `>=3.13.2` is served by some 3.13."""

_RULE = "docs/interpreters.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A version, and the interpreter that it is for."""

    resolved: ResolvedWheel
    interpreter: Interpreter
    target: Target


def served_before(name: ProjectName, store: Store) -> InstalledPlugin | None:
    """What its pointer names, whatever became of the environment and its interpreter: `before` of `choose`."""
    try:
        record = store.pointed(name)
    except DamagedError:  # said where the store looks for what serves
        return None
    return None if record is None else record.plugin


def usable_for(name: ProjectName, store: Store, interpreters: Interpreters) -> Iterator[Interpreter]:
    """Whom a plugin may run under, the best first."""
    before = served_before(name, store)
    return interpreters.usable(None if before is None else before.interpreter)


def candidates_of(store: Store, interpreters: Interpreters) -> Candidates:
    """For each plugin of a folder, in the same order as for one of the registry."""
    return lambda name: (target_of(interpreter) for interpreter in usable_for(name, store, interpreters))


def interpreter_for(found: FolderPlugin, store: Store, interpreters: Interpreters) -> Interpreter:
    """Whose target a plugin of a folder was found complete for."""
    return next(each for each in usable_for(found.project, store, interpreters) if target_of(each) == found.target)


def choose(
    requirement: Requirement,
    *,
    registry: Registry,
    interpreters: Interpreters,
    before: InstalledPlugin | None = None,
) -> Chosen:
    """The wheel that is meant, and the best interpreter of this machine that it and its lock serve.

    `before` is what served up to now, whatever became of it: the same release stays under the same interpreter.

    Raises:
        UnservedError: none of them; says what was tried, and what would do.
        StoreError: none of them any more: the one it ran under is gone.
        RegistryError: as `resolve`.
    """
    first = before.interpreter if before is not None else None
    chosen = _first_served(requirement, registry, interpreters, first, before)
    stayed = first is not None and first.path == chosen.interpreter.path != interpreters.own.path
    if before is not None and stayed and chosen.resolved.lock.sha256 != before.lock_sha256:
        return _first_served(requirement, registry, interpreters, None, before)  # another release, chosen for anew
    return chosen


def _first_served(
    requirement: Requirement,
    registry: Registry,
    interpreters: Interpreters,
    first: Interpreter | None,
    before: InstalledPlugin | None,
) -> Chosen:
    refusals: list[tuple[Interpreter, UnservedError]] = []
    for interpreter in interpreters.usable(first):
        target = target_of(interpreter)
        try:
            resolved = resolve(requirement, registry=registry, target=target)
        except UnservedError as refusal:
            refusals.append((interpreter, refusal))
            continue
        return Chosen(resolved=resolved, interpreter=interpreter, target=target)
    wanted = tuple(_served_minors(requirement, registry))
    if before is not None and (change := interpreters.change(before.interpreter)):
        raise StoreError(gone(change, wanted, [interpreter for interpreter, _ in refusals]))
    raise refused(refusals, wanted, interpreters)


def gone(change: str, wanted: tuple[str, ...], tried: list[Interpreter]) -> str:
    """What to say of a plugin whose interpreter is not there any more, and that no other one serves.

    Args:
        change: what became of it (`Interpreters.change`).
        wanted: minor versions that would do, as far as that is known.
        tried: those that are there.
    """
    there = ", ".join(f"{each.version} ({each.path})" for each in tried)
    needs = f"It runs under Python {_either(wanted)} only" if wanted else "No other Python of this machine serves it"
    return (
        f"{change}. {needs}, and here are: {there}. Install that Python again, or ask the publisher for another wheel"
    )


def refused(
    refusals: list[tuple[Interpreter, UnservedError]], wanted: tuple[str, ...], interpreters: Interpreters
) -> UnservedError:
    """The refusal of the best interpreter, with what became of the others and what would do."""
    _, first = refusals[0]
    tried = tuple(_tried(interpreter, refusal) for interpreter, refusal in refusals)
    unusable = tuple(
        Issue(id="not-used", entry=str(each.path), message=f"Python {each.version}: {each.problem}", rule=_RULE)
        for each in interpreters.found()
        if each.problem and each.version and ".".join(each.version.split(".")[:2]) in wanted
    )
    advice = ""
    if wanted:
        advice = f"it runs under Python {_either(wanted)}, which {_where(interpreters, unusable=bool(unusable))}; or "
    return UnservedError(
        first.what,
        step=first.step,
        thing=first.thing,
        expected=first.expected,
        got=first.got,
        next_step=advice + first.next_step,
        issues=(*tried, *unusable) if len(refusals) > 1 or unusable else first.issues,
    )


def _where(interpreters: Interpreters, *, unusable: bool) -> str:
    """Why the Python that it wants was not tried, and what to do."""
    if interpreters.configured:
        return "is none of runtime.interpreters: install it, and name it there"
    return "is here and cannot be used" if unusable else "is not on this machine: install it"


def _tried(interpreter: Interpreter, refusal: UnservedError) -> Issue:
    message = f"Python {interpreter.version}: {refusal.what}"
    return Issue(id="tried", entry=str(interpreter.path), message=message, rule=_RULE)


def _served_minors(requirement: Requirement, registry: Registry) -> Iterator[str]:
    """The minor versions of CPython that would be served on this machine; asked only when none that is here is."""
    for minor in MINORS:
        try:
            target = Target.cpython(f"3.{minor}.{_PATCH}", platforms=platforms_here())
            resolve(requirement, registry=registry, target=target)
        except UnservedError:
            continue
        except RegistryError:  # it was readable a moment ago; what is known is enough for a hint
            return
        yield f"3.{minor}"


def _either(versions: tuple[str, ...]) -> str:
    return versions[0] if len(versions) == 1 else f"{', '.join(versions[:-1])} or {versions[-1]}"

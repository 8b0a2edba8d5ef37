"""In which lists a project stands, and what each of them is called."""

from collections.abc import Iterator
from dataclasses import replace

from assess_registry.status.pages.lists import Shelf
from assess_registry.status.places import (
    ATTENTION,
    CONTROLS,
    DEPENDENCIES,
    KINDS,
    NAMES,
    catalogue_place,
    control_place,
    dependency_place,
    project_place,
)
from assess_registry.status.shelf import Row
from assess_registry.status.values import ReleaseView, Standing, Summary

KIND_NAMES = ("plugin", "provider")
MAX_TITLE = 200

FIXED: tuple[tuple[str, Row], ...] = tuple(
    (KINDS, Row(key=kind, place=f"{KINDS}/{kind}", title=what))
    for kind, what in zip(KIND_NAMES, ("assesses a subject", "finds subjects to assess"), strict=True)
)
"""Rows that are there from the beginning."""

EMPTY = (NAMES, KINDS, CONTROLS, DEPENDENCIES, ATTENTION, *(f"{KINDS}/{kind}" for kind in KIND_NAMES))
"""Lists that are there from the beginning, because every page leads to them."""

_TOP = {
    NAMES: ("Names", "Every plugin of this registry, in the order of names."),
    KINDS: ("Kinds", "Plugins assess a subject; providers find the subjects."),
    CONTROLS: ("Controls", "Catalogues of controls that checks of this registry refer to."),
    DEPENDENCIES: ("Dependencies", "Libraries that plugins of this registry run with."),
    ATTENTION: (
        "Needs attention",
        "Plugins whose newest release is refused, yanked or flagged, or that no person has reviewed.",
    ),
}


def shelf_at(place: str) -> Shelf:
    """The list at this place below `status/`."""
    first, _, rest = place.partition("/")
    if not rest:
        title, lead = _TOP[first]
        return Shelf(place=place, title=title, lead=lead)
    above = (_TOP[first][0], first)
    if first == KINDS:
        return Shelf(place=place, title=f"Kind: {rest}", lead=f"Packages that hold a {rest}.", above=above)
    if first == DEPENDENCIES:
        return Shelf(
            place=place, title=f"Dependency: {rest}", lead=f"Plugins of which a release runs with {rest}.", above=above
        )
    catalogue, _, control = rest.partition("/")
    if not control:
        lead = f"Controls of {catalogue} that plugins of this registry check."
        return Shelf(place=place, title=f"Controls: {catalogue}", lead=lead, above=above)
    lead = f"Plugins with a check about {catalogue}:{control}."
    return Shelf(
        place=place, title=f"Control {catalogue}:{control}", lead=lead, above=(catalogue, f"{CONTROLS}/{catalogue}")
    )


def rows_of(newest: ReleaseView, summaries: tuple[Summary, ...]) -> Iterator[tuple[str, Row]]:
    """The project's row in each list, by the newest release; in those of dependencies by all that can be had."""
    words, standing = newest.plugin, newest.standing
    brief = Row(
        key=newest.project,
        place=project_place(newest.project),
        title=words.manifest.title[:MAX_TITLE] if words else "",
        # Only what is wrong: a list is written again when a row of it changes, and most releases are in order.
        standing="" if standing is Standing.APPROVED else standing.value,
    )
    kinds = words.kinds if words else ()
    whole = replace(brief, notes=(newest.release.version, *kinds), standing=standing.value)
    yield NAMES, whole
    if standing is not Standing.APPROVED:
        yield ATTENTION, whole
    yield from ((f"{KINDS}/{kind}", brief) for kind in kinds)
    yield from ((place, brief) for place in dict.fromkeys(control_place(each) for each in newest.controls))
    standing_ones = [each for each in summaries if each.standing is not Standing.REVOKED]
    for dependency in sorted({name for each in standing_ones for name in each.dependencies}):
        yield dependency_place(dependency), brief


def leading_rows(shelf: str) -> tuple[tuple[str, Row], ...]:
    """Rows by which a list is found from those that every page leads to, the nearest first."""
    parts = shelf.split("/")
    if parts[0] == DEPENDENCIES and len(parts) == 2:
        return ((DEPENDENCIES, Row(key=parts[1], place=shelf)),)
    if parts[0] == CONTROLS and len(parts) > 1:
        above = CONTROLS if len(parts) == 2 else catalogue_place(parts[1])
        return ((above, Row(key=parts[-1], place=shelf)), *leading_rows(above))
    return ()

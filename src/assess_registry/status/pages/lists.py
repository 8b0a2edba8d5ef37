"""The pages of a list, part by part."""

from collections.abc import Iterable
from dataclasses import dataclass

from assess_registry.status.markup import Html, Node, said, tag
from assess_registry.status.pages.frame import badge, page
from assess_registry.status.places import link
from assess_registry.status.shelf import Part, Row, part_place
from assess_registry.status.values import House, Standing

MAX_TITLE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """A list: where it lies, what it is called, and what it says of itself.

    Attributes:
        place: its directory below `status/`.
        above: title and place of the list that leads to it; empty for one that every page leads to.
    """

    place: str
    title: str
    lead: str
    above: tuple[str, str] = ("", "")


def list_page(house: House, shelf: Shelf, part: Part) -> bytes:
    """One part of it."""
    place = part_place(shelf.place, part.prefix)
    title = f"{shelf.title}: {part.prefix}…" if part.prefix else shelf.title
    return page(house, title=title, place=place, body=list(_body(shelf, part, place)))


def rows_table(rows: Iterable[Row], place: str) -> Html:
    """The rows, each with the page it leads to."""
    lines = [
        tag(
            "tr",
            tag("th", tag("a", said(row.key), href=link(place, row.place)), scope="row"),
            tag("td", said(row.title, max_chars=MAX_TITLE) if row.title else None),
            tag("td", said(", ".join(row.notes)) if row.notes else None),
            tag("td", _standing(row.standing)),
        )
        for row in rows
    ]
    head = tag(
        "thead", tag("tr", [tag("th", name, scope="col") for name in ("Name", "What it is", "Newest", "Standing")])
    )
    return tag("table", head, tag("tbody", lines), class_="blocks")


def _body(shelf: Shelf, part: Part, place: str) -> Iterable[Node]:
    yield tag("h1", shelf.title)
    yield tag("p", shelf.lead)
    name, above = shelf.above
    ways = [(name, above)] if above else []
    if part.prefix:
        ways.append((f"all of {shelf.title}", shelf.place))
    if ways:
        yield tag(
            "p",
            "Up to ",
            [[" or " if at else "", tag("a", said(text), href=link(place, to))] for at, (text, to) in enumerate(ways)],
        )
    if part.prefix:
        yield tag("h2", "Beginning with ", tag("code", said(part.prefix)))
    if part.below:
        jumps = [
            tag("li", tag("a", tag("code", said(f"{jump}…")), href=link(place, part_place(shelf.place, jump))))
            for _, jump in sorted(part.below.items())
        ]
        yield tag("nav", tag("ul", jumps, class_="inline"), aria_label="By beginning")
    if part.rows:
        yield rows_table(part.rows, place) if _is_of_plugins(part.rows) else _plain(part.rows, place)
    elif not part.below:
        yield tag("p", "Nothing is here.", class_="soft")


def _is_of_plugins(rows: Iterable[Row]) -> bool:
    return any(row.title or row.notes or row.standing for row in rows)


def _plain(rows: Iterable[Row], place: str) -> Html:
    return tag("ul", [tag("li", tag("a", said(row.key), href=link(place, row.place))) for row in rows], class_="inline")


def _standing(text: str) -> Node:
    known = next((each for each in Standing if each.value == text), None)
    return badge(known) if known else None

"""The catalogue's first page, what search says where nobody can search, and what it found where somebody can."""

from collections.abc import Sequence

from assess_registry.status.markup import Html, Node, said, tag
from assess_registry.status.pages.frame import page, search_form
from assess_registry.status.pages.lists import rows_table
from assess_registry.status.places import ATTENTION, CONTROLS, DEPENDENCIES, KINDS, NAMES, SEARCH, link
from assess_registry.status.shelf import Row
from assess_registry.status.values import House

_WAYS = (
    (NAMES, "Names", "every plugin, in the order of names"),
    (KINDS, "Kinds", "plugins, which assess, and providers, which find what to assess"),
    (CONTROLS, "Controls", "who covers which control of which catalogue"),
    (DEPENDENCIES, "Dependencies", "who runs with which library"),
    (ATTENTION, "Needs attention", "flagged, yanked, revoked, or approved by nobody but policy"),
)


def front_page(house: House, recent: Sequence[Row]) -> bytes:
    """`status/index.html`: the ways in, and what was published last."""
    people = sorted(house.control.reviewers)
    body: list[Node] = [
        tag("h1", f"Plugin registry {house.name}"),
        tag(
            "p",
            "Signed plugins that assess systems, each with its verdict, its reviewers and what it may do.",
            class_="lead",
        ),
        _ways(""),
        tag(
            "section",
            tag("h2", "Published last"),
            rows_table(recent, "") if recent else tag("p", "Nothing is published yet."),
        ),
        tag(
            "section",
            tag("h2", "Who decides"),
            _people("Reviewers", people),
            _people("Publishers", sorted(house.control.publishers)),
        ),
    ]
    return page(house, title="Catalogue", place="", body=body)


def unsearched_page(house: House) -> bytes:
    """`status/search/index.html`: what plain files answer."""
    body = [
        tag("h1", "Search"),
        tag(
            "p",
            "This copy of the catalogue is plain files, and plain files cannot search. These lists have everything:",
        ),
        _ways(SEARCH),
        tag("p", "Who knows a name can go to ", tag("code", "projects/NAME/"), " directly."),
    ]
    return page(house, title="Search", place=SEARCH, body=body, search=False)


def found_page(house: House, query: str, found: Sequence[tuple[str, Sequence[Row]]]) -> bytes:
    """The answer of a server that can search: rows, list by list."""
    body: list[Node] = [tag("h1", "Search"), search_form(SEARCH, query)]
    for title, rows in found:
        if rows:
            body.append(tag("section", tag("h2", title), rows_table(rows, SEARCH)))
    if not any(rows for _, rows in found):
        body.append(tag("p", "Nothing begins with ", tag("code", said(query, max_chars=100)), "."))
    body.append(_ways(SEARCH))
    return page(house, title="Search", place=SEARCH, body=body, search=False)


def _ways(place: str) -> Html:
    return tag("ul", [tag("li", tag("a", name, href=link(place, to)), f": {what}") for to, name, what in _WAYS])


def _people(what: str, names: Sequence[str]) -> Html:
    return tag("p", f"{what}: ", said(", ".join(names[:100])) if names else "none", ".", class_="small")

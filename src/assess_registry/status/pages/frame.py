"""What every page has: its policy, its style, where one is, what kind of registry this is, what the page is worth."""

from assess_registry.status.markup import Html, Node, document, said, style_sheet, tag
from assess_registry.status.places import ATTENTION, CONTROLS, DEPENDENCIES, KINDS, NAMES, link
from assess_registry.status.style import POLICY, STYLE
from assess_registry.status.values import House, NotShown, Standing

_TONES = {
    Standing.REVOKED: "bad",
    Standing.QUARANTINED: "bad",
    Standing.DEPENDENCY_REVOKED: "bad",
    Standing.DAMAGED: "bad",
    Standing.NOT_APPROVED: "bad",
    Standing.YANKED: "warn",
    Standing.FLAGGED: "warn",
    Standing.BY_POLICY: "warn",
    Standing.APPROVED: "good",
}

NAVIGATION = (
    (NAMES, "Names"),
    (KINDS, "Kinds"),
    (CONTROLS, "Controls"),
    (DEPENDENCIES, "Dependencies"),
    (ATTENTION, "Needs attention"),
)


def page(house: House, *, title: str, place: str, body: Node, search: bool = True) -> bytes:
    """A whole page of the catalogue."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{title} · ", f"plugin registry {house.name}"),
        style_sheet(STYLE),
    )
    return document(head, tag("body", _top(house, place, search=search), tag("main", body), _bottom()))


def badge(standing: Standing) -> Html:
    """The standing, in its colour and in words."""
    return tag("span", standing.value, class_=f"badge {_TONES[standing]}")


def note(tone: str, *children: Node) -> Html:
    """A paragraph or several that are seen first; `tone` is `good`, `warn` or `bad`."""
    return tag("div", children, class_=f"note {tone}", role="note")


def not_shown(what: NotShown) -> Html:
    """In the place of what a file would have said."""
    return note(
        "bad",
        tag(
            "p",
            tag("strong", "Not shown: "),
            tag("code", said(what.filename)),
            ". ",
            said(what.reason, max_chars=300),
            ".",
        ),
        tag("p", "Nothing in this file is shown, and clients refuse what depends on it."),
    )


def _top(house: House, place: str, *, search: bool) -> Node:
    section = place.partition("/")[0]
    links = [
        tag("li", tag("a", words, href=link(place, name), aria_current="page" if name == section else None))
        for name, words in NAVIGATION
    ]
    home = tag("a", f"Plugin registry {house.name}", href=link(place, ""))
    bar = tag("div", tag("strong", home), tag("nav", tag("ul", links), aria_label="Catalogue"), class_="top")
    return tag("header", bar, development(house), search_form(place) if search else None)


def development(house: House) -> Html | None:
    """What has to be known of a registry whose keys one person holds."""
    if not house.development:
        return None
    words = (
        "All its keys lie with one person on one machine, so an approval here says nothing about anybody else having "
        "looked. Do not assess anything that matters with it."
    )
    return note("bad", tag("p", tag("strong", "Development registry. "), words))


def search_form(place: str, value: str = "") -> Html:
    """Asks the server; where there is none but plain files, the page it leads to says how to look instead."""
    return tag(
        "form",
        tag("label", "Find by name, control or dependency", for_="q", class_="small soft"),
        tag("input", id="q", name="q", type="text", value=value or None, maxlength="100", autocomplete="off"),
        tag("button", "Search", type="submit"),
        action=link(place, "search"),
        method="get",
        role="search",
    )


def _bottom() -> Html:
    words = (
        "This page is made from the registry's signed catalogue and from files that were held to the digests in it. It "
        "has no authority of its own: clients believe signatures, not pages, and so should you. Every text about a "
        "plugin was written by its author."
    )
    return tag("footer", tag("p", words))

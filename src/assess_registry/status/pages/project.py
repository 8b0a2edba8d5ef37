"""A project's page: its newest release whole, and a line for each of the others."""

from collections.abc import Sequence

from assess_registry.catalogue import Catalogue
from assess_registry.status.markup import Html, Node, said, tag
from assess_registry.status.pages.frame import badge, note, page
from assess_registry.status.pages.release import headline, sections
from assess_registry.status.places import link, project_place, release_place
from assess_registry.status.values import House, ReleaseView, Standing, Summary

FIRST_VERSIONS = 10
"""Seen at once; the others unfold."""

MAX_VERSIONS = 1000
"""Shown in the table, newest first; the signed catalogue names all."""


def project_page(house: House, newest: ReleaseView, summaries: Sequence[Summary]) -> bytes:
    """The page of a project.

    Args:
        house: the registry.
        newest: the release to show.
        summaries: of all releases, newest first.
    """
    place = project_place(newest.project)
    body: list[Node] = [*headline(newest)]
    if all(each.standing is Standing.REVOKED for each in summaries):
        words = "Every release of this project is revoked: nothing of it can be had."
        body.append(note("bad", tag("p", tag("strong", "Nothing is left. "), words)))
    body += sections(house, newest, place, versions=_versions(newest, summaries, place))
    return page(house, title=str(newest.project), place=place, body=body)


def newest_of(catalogue: Catalogue) -> str:
    """The version to show: the highest that is neither revoked nor yanked nor a preview; else the least bad."""
    ranked = max(
        enumerate(catalogue.releases),
        key=lambda each: (each[1].revoked is None, each[1].yanked is None, not _is_preview(each[1].version), each[0]),
    )
    return ranked[1].version


def _is_preview(version: str) -> bool:
    return any(mark in version.partition("+")[0] for mark in ("a", "b", "rc", "dev"))


def _versions(newest: ReleaseView, summaries: Sequence[Summary], place: str) -> Html:
    shown = [_line(newest, each, place) for each in summaries[:MAX_VERSIONS]]
    more = len(summaries) - MAX_VERSIONS
    others = shown[FIRST_VERSIONS:]
    return tag(
        "section",
        tag("h2", f"Versions ({len(summaries)})", id="versions"),
        _table(shown[:FIRST_VERSIONS]),
        tag("details", tag("summary", f"{len(others)} older ones"), _table(others)) if others else None,
        tag("p", f"{more} more are in the signed catalogue.") if more > 0 else None,
        tag("p", f"This page shows {newest.release.version}.", class_="soft") if len(summaries) > 1 else None,
    )


def _line(newest: ReleaseView, summary: Summary, place: str) -> Html:
    anchor = tag("a", summary.version, href=link(place, release_place(newest.project, summary.version)))
    return tag(
        "tr",
        tag("th", anchor, scope="row"),
        tag("td", badge(summary.standing)),
        tag("td", tag("span", "reviewed by ", class_="narrow"), _who(summary)),
        tag("td", tag("span", "published ", class_="narrow"), summary.published),
    )


def _table(lines: Sequence[Html]) -> Html:
    names = ("Version", "Standing", "Reviewed by", "Published")
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in names]))
    return tag("table", head, tag("tbody", lines), class_="blocks")


def _who(summary: Summary) -> Node:
    if summary.approved_by:
        return said(", ".join(summary.approved_by))
    return "nobody: by policy" if summary.standing is Standing.BY_POLICY else "nobody"

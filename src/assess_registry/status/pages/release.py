"""A release's page, section by section: what matters to whoever decides whether to run it comes first."""

from collections.abc import Iterator, Mapping

from packaging.specifiers import SpecifierSet

from assess_registry.catalogue import Marker
from assess_registry.status.markup import Html, Node, joined, said, tag
from assess_registry.status.pages.audit import audit_section, compatibility_section
from assess_registry.status.pages.checks import checks_section
from assess_registry.status.pages.files import closure_section, files_section
from assess_registry.status.pages.frame import badge, not_shown, note, page
from assess_registry.status.pages.install import install_section
from assess_registry.status.pages.permissions import permissions_section
from assess_registry.status.places import link, project_place, release_place
from assess_registry.status.values import ClosureView, House, NotShown, ReleaseView
from assess_registry.verdict import Approval

_STATUS: Mapping[Marker, tuple[str, str]] = {
    "quarantined": ("bad", "Nobody gets anything of this project until somebody knows more."),
    "archived": ("warn", "Nothing new will come under this name; what is there stays."),
    "deprecated": ("warn", "Its publisher would have you use something else."),
}


def release_page(house: House, view: ReleaseView) -> bytes:
    """The page of one release."""
    place = release_place(view.project, view.release.version)
    back = tag("p", tag("a", f"All versions of {view.project}", href=link(place, project_place(view.project))))
    return page(
        house,
        title=f"{view.project} {view.release.version}",
        place=place,
        body=[*headline(view), back, *sections(house, view, place)],
    )


def headline(view: ReleaseView) -> Iterator[Node]:
    """Name, version, standing, and what it is in its author's words."""
    words = view.plugin
    yield tag("h1", f"{view.project} ", tag("span", view.release.version, class_="soft"), " ", badge(view.standing))
    if words:
        yield tag("p", tag("strong", said(words.manifest.title)), class_="lead")
        yield tag("p", said(words.manifest.summary))
    yield from warnings(view)


def warnings(view: ReleaseView) -> Iterator[Html]:
    """Everything that is wrong with the release, in words; nothing when nothing is."""
    release = view.release
    if view.status:
        tone, words = _STATUS[view.status.marker]
        reason = tag("p", f"{view.status.at:%Y-%m-%d}: ", said(view.status.reason))
        yield note(tone, tag("p", tag("strong", f"{view.status.marker.capitalize()}. "), words), reason)
    if release.revoked:
        yield note(
            "bad",
            tag(
                "p",
                tag("strong", "Revoked. "),
                "Nobody gets this release any more, and runtimes that have it stop using it.",
            ),
            tag(
                "p",
                f"severity {release.revoked.severity}, {release.revoked.at:%Y-%m-%d}: ",
                said(release.revoked.reason),
            ),
        )
    if isinstance(view.closure, ClosureView):
        for sha256, found in sorted(view.closure.revoked.items()):
            if release.revoked and found.project == view.project:
                continue  # is said above
            yield note(
                "bad",
                tag(
                    "p",
                    tag("strong", f"It runs with a revoked wheel: {found.project} {found.version}. "),
                    "Clients refuse it.",
                ),
                tag("p", f"severity {found.severity}, {found.at:%Y-%m-%d}: ", said(found.reason)),
                tag("p", tag("code", f"sha256:{sha256}", class_="digest")),
            )
    for project, status in view.marked:
        what = tag("strong", f"{project}, which it runs with, is {status.marker}. ")
        then = "Nothing new is published with it." if status.is_quarantined else None
        yield note("warn", tag("p", what, then), tag("p", f"{status.at:%Y-%m-%d}: ", said(status.reason)))
    if release.yanked:
        yield note(
            "warn",
            tag(
                "p",
                tag("strong", "Yanked. "),
                "Nothing new should use this release; who asks for exactly it still gets it.",
            ),
            tag("p", f"{release.yanked.at:%Y-%m-%d}: ", said(release.yanked.reason)),
        )
    yield from _approval_warnings(view)


def _approval_warnings(view: ReleaseView) -> Iterator[Html]:
    """Whatever else is to be said: who yanks a release does not make anybody have looked at it."""
    if any(each.verdict.result == "flagged" for each in view.approvals):
        text = (
            f"{' and '.join(view.approved_by)} looked at what the audit had flagged, and approved it. See Audit below."
        )
        yield note("warn", tag("p", tag("strong", "Flagged, then approved by people. "), text))
    if any(each.automatic for each in view.approvals):
        text = "No person has looked at it: the audit found nothing, and the registry's policy approves such releases."
        yield note("warn", tag("p", tag("strong", "Approved by policy. "), text))
    for wheel in view.wheels:
        for part in (wheel.approval, wheel.plugin):
            if isinstance(part, NotShown):
                yield not_shown(part)


CONTENTS = (
    ("versions", "Versions"),
    ("permissions", "What it may do"),
    ("audit", "Audit"),
    ("install", "How to install"),
    ("compatibility", "Compatibility"),
    ("checks", "Checks"),
    ("closure", "What it runs with"),
    ("files", "Files"),
)


def sections(house: House, view: ReleaseView, place: str, *, versions: Node = None) -> Iterator[Node]:
    """All there is to say of a release, but for its headline."""
    yield _facts(view)
    yield _contents(view, with_versions=versions is not None)
    yield versions
    yield permissions_section(view)
    yield audit_section(view, place)
    yield install_section(house, view)
    yield compatibility_section(house, view)
    yield checks_section(view, place)
    yield closure_section(view, place)
    yield files_section(view, place)


def _contents(view: ReleaseView, *, with_versions: bool) -> Html:
    left_out = set() if with_versions else {"versions"}
    if not (view.plugin and view.plugin.manifest.checks):
        left_out.add("checks")
    items = [tag("li", tag("a", words, href=f"#{anchor}")) for anchor, words in CONTENTS if anchor not in left_out]
    return tag("nav", tag("ul", items, class_="inline small"), aria_label="On this page")


def _facts(view: ReleaseView) -> Html:
    words, wheel = view.plugin, view.wheels[0].listed
    rows: list[tuple[str, Node]] = [("Verdict", list(_verdicts(view)))]
    rows.append(("Published", [_day(view), f" by {wheel.publisher}"]))
    if words:
        rows.append(("Kind", _kinds(words.plugins, words.providers)))
        rows.append(("Plugin API", tag("code", said(_range(words.manifest.api)))))
        rows.append(("Licence", said(words.licence) if words.licence else "none is stated"))
    if wheel.requires_python:
        rows.append(("Python", tag("code", said(wheel.requires_python))))
    return tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in rows])


def _range(specifiers: SpecifierSet) -> str:
    """From the lower end up; a set has no order of its own."""
    return ", ".join(sorted((str(each) for each in specifiers), reverse=True))


def _day(view: ReleaseView) -> Html:
    published = view.release.published_at
    return tag("time", f"{published:%Y-%m-%d}", datetime=f"{published:%Y-%m-%d}")


def _verdicts(view: ReleaseView) -> Iterator[Node]:
    """Each wheel's, where they differ; else one for all."""
    texts = {(_result(each.approval), _people(each.approval)) for each in view.wheels}
    yield from joined("; ", (f"{result}, {people}" for result, people in sorted(texts)))


def _result(approval: "Approval | NotShown") -> str:
    if isinstance(approval, NotShown):
        return "none that counts"
    return f"{approval.verdict.result} by the audit"


def _people(approval: "Approval | NotShown") -> str:
    if isinstance(approval, NotShown):
        return "clients refuse it"
    if approval.automatic:
        return "then by policy: no person has looked"
    return f"reviewed by {' and '.join(approval.by)}"


def _kinds(plugins: tuple[str, ...], providers: tuple[str, ...]) -> Node:
    parts: list[Node] = []
    for names, word, what in ((plugins, "plugin", "assesses"), (providers, "provider", "finds what to assess")):
        if names:
            codes = joined(", ", (tag("code", said(name)) for name in names))
            parts.append([tag("strong", word), " ", codes, f" ({what})"])
    return joined(" and ", parts) or "none"

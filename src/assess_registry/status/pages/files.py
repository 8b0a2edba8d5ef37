"""What a release runs with, and every file of it with its digest."""

from assess_registry.index.tree import FILES
from assess_registry.lock import LockedWheel
from assess_registry.status.markup import Html, Node, said, tag
from assess_registry.status.pages.frame import not_shown
from assess_registry.status.places import dependency_place, file_link, link
from assess_registry.status.values import ClosureView, NotShown, ReleaseView


def closure_section(view: ReleaseView, place: str) -> Html:
    """The lock, wheel by wheel, and the bill of materials."""
    title = tag("h2", "What it runs with", id="closure")
    if isinstance(view.closure, NotShown):
        return tag("section", title, not_shown(view.closure))
    others = [each for each in view.closure.lock.wheels if each.project != view.project]
    words = f"Besides itself, {len(others)} wheels are locked." if others else "Nothing besides itself."
    lock = tag("a", view.release.lock.filename, href=_file(view, place, view.release.lock.filename))
    return tag(
        "section",
        title,
        tag("p", words, " Installed is exactly what the lock names, by digest: ", lock, "."),
        _locked(others, view.closure, place) if others else None,
        _materials(view, place),
    )


def _locked(wheels: list[LockedWheel], closure: ClosureView, place: str) -> Html:
    rows = [
        tag(
            "tr",
            tag(
                "th",
                tag("a", each.project, href=link(place, dependency_place(each.project))),
                f" {each.version}",
                scope="row",
            ),
            tag("td", ["where ", tag("code", said(each.marker))] if each.marker else "always"),
            tag("td", tag("code", said(each.filename)), f" {_size(each.size)}"),
            tag("td", tag("strong", "revoked", class_="tone bad") if each.sha256 in closure.revoked else None),
        )
        for each in wheels
    ]
    head = tag(
        "thead", tag("tr", [tag("th", name, scope="col") for name in ("Dependency", "When", "Wheel", "Standing")])
    )
    return tag("table", head, tag("tbody", rows), class_="blocks")


def _materials(view: ReleaseView, place: str) -> Node:
    sbom, components = view.release.sbom, view.components
    if sbom is None or components is None:
        return tag("p", "There is no bill of materials.")
    if isinstance(components, NotShown):
        return not_shown(components)
    anchor = tag("a", sbom.filename, href=_file(view, place, sbom.filename))
    return tag("p", "Bill of materials (CycloneDX): ", anchor, f", {components} components.")


def files_section(view: ReleaseView, place: str) -> Html:
    """Names, sizes and digests as the signed catalogue has them."""
    rows = [
        tag(
            "tr",
            tag("th", tag("a", each.filename, href=_file(view, place, each.filename)), scope="row"),
            tag("td", _size(each.size)),
            tag("td", tag("code", each.sha256, class_="digest")),
        )
        for each in view.release.files()
    ]
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in ("File", "Size", "SHA-256")]))
    signers = sorted({(each.listed.publisher, each.listed.signer) for each in view.wheels})
    signed = [tag("p", f"Signed by {name} with key ", tag("code", key, class_="digest"), ".") for name, key in signers]
    reviewers = sorted({(name, key) for each in view.approvals for name, key in zip(each.by, each.keys, strict=False)})
    return tag(
        "section",
        tag("h2", "Files", id="files"),
        signed,
        [tag("p", f"Approved by {name} with key ", tag("code", key, class_="digest"), ".") for name, key in reviewers],
        tag("details", tag("summary", f"{len(rows)} files"), tag("table", head, tag("tbody", rows), class_="blocks")),
    )


def _file(view: ReleaseView, place: str, filename: str) -> str:
    return file_link(place, f"{FILES}/{view.project}/{view.release.version}/{filename}")


def _size(size: int) -> str:
    for unit, limit in (("MiB", 1 << 20), ("kiB", 1 << 10)):
        if size >= limit:
            return f"{size / limit:.1f} {unit}"
    return f"{size} bytes"

"""Pages of the catalogue: hostile words stay words, what is wrong is loud, and the same model gives the same bytes."""

import base64
import hashlib
import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_plugin.permissions import Permissions
from assess_registry.catalogue import Catalogue, ProjectStatus, Revoked, Yanked
from assess_registry.catalogue.project_status import MARKERS, Marker
from assess_registry.control import Publishers, RevokedWheel
from assess_registry.names import ProjectName, Sha256
from assess_registry.status.pages.front import found_page, front_page, unsearched_page
from assess_registry.status.pages.lists import list_page
from assess_registry.status.pages.project import newest_of, project_page
from assess_registry.status.pages.release import release_page
from assess_registry.status.places import control_place, link
from assess_registry.status.shelf import Part, Row
from assess_registry.status.shelves import EMPTY, shelf_at
from assess_registry.status.style import STYLE
from assess_registry.status.values import NotShown, ReleaseView, Standing, Summary
from assess_registry.text import plain
from assess_registry.verdict import permissions_table
from tests.support.status_pages import (
    DIGEST,
    NOON,
    PROJECT,
    approval,
    closure,
    house,
    read_page,
    release,
    tags,
    view,
    worst_view,
)
from tests.unit.registry.test_status_markup import HOSTILE


def summary(version: str = "1.2.0", standing: Standing = Standing.APPROVED) -> Summary:
    return Summary(
        version=version,
        made_from=DIGEST,
        standing=standing,
        approved_by=("rita",),
        published="2026-11-21",
        dependencies=(),
    )


def row(text: str) -> Row:
    return Row(key=text, place="projects/acme-demo", title=text, notes=(text,), standing=text)


PAGES: dict[str, Callable[[str], bytes]] = {
    "release": lambda text: release_page(house(), view(text)),
    "the worst release": lambda text: release_page(house(), worst_view(text)),
    "project": lambda text: project_page(house(), view(text), [summary()]),
    "list": lambda text: list_page(house(), shelf_at("names"), Part(prefix="", rows=(row(text),))),
    "front": lambda text: front_page(house(), [row(text)]),
    "found": lambda text: found_page(house(), text, [("Names", [row(text)])]),
    "not found": lambda text: found_page(house(), text, []),
}


@pytest.mark.parametrize("name", PAGES)
def test_hostile_words_change_no_element_of_a_page(name: str) -> None:
    ordinary = tags(PAGES[name]("plain words"))
    for text in HOSTILE:
        data = PAGES[name](text)
        parsed = read_page(data)
        assert tags(data) == ordinary, text
        assert not parsed.problems, text
        assert plain(text, max_chars=30).removesuffix("…")[:30] in parsed.text


@settings(max_examples=12, deadline=None)
@given(st.text(st.characters(), min_size=1, max_size=60).filter(str.strip))
def test_no_words_change_the_elements_of_a_release_page(text: str) -> None:
    assert tags(PAGES["release"](text)) == tags(PAGES["release"]("plain words"))


@pytest.mark.parametrize("name", PAGES)
def test_the_same_model_gives_the_same_bytes(name: str) -> None:
    assert PAGES[name]("words") == PAGES[name]("words")
    assert PAGES[name]("words") != PAGES[name]("other words")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_well_formed(name: str) -> None:
    data = PAGES[name]("words")
    page = read_page(data)
    assert data.startswith(b'<!doctype html>\n<html lang="en">')
    assert not page.problems
    headings = [int(tag[1]) for tag, _ in page.starts if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(headings))
    assert [tag for tag, _ in page.starts].count("main") == 1


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_and_its_policy_names_its_one_style(name: str) -> None:
    data = PAGES[name]("words").decode()
    elements = {tag for tag, _ in read_page(data.encode()).starts}
    assert not elements & {"script", "link", "img", "iframe", "object"}
    assert data.count(f"<style>{STYLE}</style>") == 1
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{digest}&#x27;; base-uri &#x27;none&#x27;" in data
    assert 'http-equiv="Content-Security-Policy"' in data


@pytest.mark.parametrize("name", PAGES)
def test_headers_of_tables_say_what_they_head(name: str) -> None:
    cells = [dict(attributes) for tag, attributes in read_page(PAGES[name]("words")).starts if tag == "th"]
    assert all(each.get("scope") in ("row", "col") for each in cells)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"release": release(yanked=Yanked(reason="never ends", at=NOON))}, ("Yanked", "never ends")),
        (
            {"release": release(revoked=Revoked(reason="it lied", severity="high", at=NOON))},
            ("Revoked", "Nobody gets", "it lied", "Clients refuse this release"),
        ),
        ({"approval": approval(result="flagged")}, ("Flagged, then approved by people", "rita looked")),
        ({"approval": approval(approved_by="policy")}, ("Approved by policy", "No person has looked")),
        ({"approval": NotShown(filename="x.json", reason="too few")}, ("Not shown", "too few", "not approved")),
        ({"closure": NotShown(filename="pylock.toml", reason="gone")}, ("Not shown", "damaged")),
        ({"plugin": NotShown(filename="x.whl", reason="other bytes")}, ("Not shown: x.whl. other bytes.", "damaged")),
        (
            {"approval": approval(result="flagged"), "release": release(yanked=Yanked(reason="never ends", at=NOON))},
            ("Flagged, then approved by people", "Yanked"),
        ),
    ],
)
def test_what_is_wrong_is_said_first(changed: dict[str, Any], words: tuple[str, ...]) -> None:
    told = read_page(release_page(house(), view(**changed))).text
    for each in words:
        assert each in told
        assert each not in read_page(release_page(house(), view())).text


def test_a_revoked_dependency_is_said_first() -> None:
    revoked = RevokedWheel(
        project=ProjectName("somelib"),
        version="1.0",
        sha256=Sha256("ef" * 32),
        reason="it lied",
        severity="high",
        at=NOON,
    )
    bad = view(closure=closure(revoked=(revoked,)))
    assert bad.standing is Standing.DEPENDENCY_REVOKED
    assert "It runs with a revoked wheel: somelib 1.0. " in read_page(release_page(house(), bad)).text
    assert view().standing is Standing.APPROVED


@pytest.mark.parametrize("name", ["release", "list", "front"])
def test_a_development_registry_says_so_on_every_page(name: str) -> None:
    def shown(control: Publishers) -> str:
        at = house(control=control)
        pages = {
            "release": lambda: release_page(at, view()),
            "list": lambda: list_page(at, shelf_at("names"), Part(prefix="")),
            "front": lambda: front_page(at, []),
        }
        return read_page(pages[name]()).text

    assert "Development registry. All its keys lie with one person" in shown(Publishers(development=True))
    assert "Development registry" not in shown(Publishers())


def test_a_project_of_which_everything_is_revoked_says_so() -> None:
    def told(*standings: Standing) -> str:
        lines = [summary(f"1.{number}", each) for number, each in enumerate(standings)]
        return read_page(project_page(house(), view(), lines)).text

    assert "Nothing is left" in told(Standing.REVOKED, Standing.REVOKED)
    assert "Nothing is left" not in told(Standing.REVOKED, Standing.YANKED)


@pytest.mark.parametrize("marker", MARKERS)
def test_what_has_become_of_a_project_is_on_the_pages_of_its_releases(marker: Marker) -> None:
    changed = view(status=ProjectStatus(marker=marker, reason="its author is gone", at=NOON))
    told = read_page(release_page(house(), changed)).text
    assert f"{marker.capitalize()}. " in told
    assert "its author is gone" in told
    assert ("Clients refuse this release" in told) == (marker == "quarantined")


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        (["1.0", "1.10", "1.9"], "1.10"),
        (["1.0", "2.0rc1"], "1.0"),
        (["1.0+abc", "0.9"], "1.0+abc"),
        (["2.0rc1"], "2.0rc1"),
        (["1.0", "2.0 yanked"], "1.0"),
        (["1.0 yanked", "2.0 revoked"], "1.0"),
        (["1.0 revoked", "2.0 revoked"], "2.0"),
    ],
)
def test_the_newest_is_the_one_to_use(versions: list[str], newest: str) -> None:
    marks: dict[str, dict[str, Any]] = {
        "yanked": {"yanked": Yanked(reason="r", at=NOON)},
        "revoked": {"revoked": Revoked(reason="r", severity="low", at=NOON)},
    }
    releases = []
    for each in versions:
        version, _, mark = each.partition(" ")
        releases.append(release(version, **marks.get(mark, {})))
    assert newest_of(Catalogue(project=PROJECT, releases=tuple(releases))) == newest


def test_permissions_are_those_that_were_approved() -> None:
    told = read_page(release_page(house(), view(permissions=Permissions(read=("/",), env=("TOKEN",))))).text
    assert "that is every file of the machine" in told
    assert "TOKEN" in told


def test_a_plugin_that_asks_for_nothing_says_so() -> None:
    assert "Nothing: it may open no file" in read_page(release_page(house(), view(permissions=Permissions()))).text


def test_what_the_version_before_may_not_is_marked_new() -> None:
    asked = Permissions(read=("/etc", "/proc"))

    def told(since: str) -> str:
        growth = permissions_table(Permissions(read=("/proc",)))
        return read_page(release_page(house(), view(approval=approval(asked, since=since, growth=growth)))).text

    assert "Version 1.1.0 may not do what is marked new." in told("1.1.0")
    assert "/procnew" in told("1.1.0").replace(" ", "")
    assert "/etcnew" not in told("1.1.0").replace(" ", "")
    assert "marked new" not in told("")  # of a first version everything is new


def test_the_matrix_says_what_is_served_and_what_was_seen_to_work() -> None:
    told = read_page(release_page(house(), view())).text
    assert "installs, 2 wheels" in told
    assert "not served" in told
    assert "no tests shown" in told


def test_a_control_leads_to_everybody_who_covers_it() -> None:
    page = read_page(release_page(house(), view()))
    hrefs = [dict(attributes).get("href") for tag, attributes in page.starts if tag == "a"]
    assert "../../../controls/nist-800-53/cm-6/index.html" in hrefs


@pytest.mark.parametrize("place", [*EMPTY, "controls/nist-800-53", "controls/nist-800-53/cm-6", "dependencies/somelib"])
def test_every_list_has_a_page(place: str) -> None:
    page = read_page(list_page(house(), shelf_at(place), Part(prefix="")))
    assert not page.problems
    assert "Nothing is here." in page.text


def test_a_part_of_a_list_leads_up_and_down() -> None:
    part = Part(prefix="ac", rows=(), below={"m": "acme-", "t": "act"})
    page = read_page(list_page(house(), shelf_at("names"), part))
    hrefs = [dict(attributes).get("href") for tag, attributes in page.starts if tag == "a"]
    assert {"../../names/~acme-/index.html", "../../names/~act/index.html", "../../names/index.html"} <= set(hrefs)


def test_plain_files_say_how_to_look_without_a_search() -> None:
    assert "plain files cannot search" in read_page(unsearched_page(house())).text


def test_the_words_searched_for_stay_in_the_form() -> None:
    page = read_page(found_page(house(), "acme", []))
    (field,) = [dict(attributes) for tag, attributes in page.starts if tag == "input"]
    assert field["value"] == "acme"
    assert "Nothing begins with acme." in page.text


def test_links_are_relative_and_quoted() -> None:
    assert link("projects/a/1!2.0+x", "names") == "../../../names/index.html"
    assert link("", "projects/a/1!2.0+x") == "projects/a/1%212.0%2Bx/index.html"


@pytest.mark.parametrize("control", ["x:..", "x:../../etc", "x:a/b", ":a", "x:", "x:~a"])
def test_a_place_has_no_path_in_its_names(control: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        control_place(control)
    assert control_place("Cis:1.1(A)") == "controls/cis/1.1(a)"


def test_a_view_is_approved_only_if_all_of_it_is() -> None:
    assert view().standing is Standing.APPROVED
    assert view(plugin=NotShown(filename="w", reason="r")).standing is Standing.DAMAGED
    assert isinstance(view(), ReleaseView)


def _luminance(colour: str) -> float:
    digits = colour if len(colour) == 6 else "".join(each * 2 for each in colour)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_every_colour_can_be_read_on_every_ground(scheme: str) -> None:
    rule = {"light": r":root \{ color-scheme", "dark": r"dark\) \{ :root \{", "print": r"print \{ :root \{"}[scheme]
    found = re.search(rule + r"[^}]*", STYLE)
    assert found is not None
    colours = dict(re.findall(r"--([a-z-]+): #([0-9a-f]{3,6})", found[0]))
    for ink in ("ink", "soft", "link", "good", "warn", "bad"):
        for ground in ("paper", "shade", "warn-shade", "bad-shade"):
            light, dark = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
            # WCAG 2, 1.4.3: text of ordinary size
            assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{ink} on {ground}"

import hashlib
import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin

import pytest
from packaging.specifiers import SpecifierSet

from assess_registry.catalogue import ProjectStatus
from assess_registry.index.pages import PageFile, project_html, project_json
from assess_registry.names import ProjectName, Sha256

DEMO = ProjectName("demo-plugin")


def page_file(version: str = "1.0.0", tag: str = "py3-none-any", requires_python: str = ">=3.11,<4") -> PageFile:
    filename = f"demo_plugin-{version}-{tag}.whl"
    return PageFile(
        project=DEMO,
        version=version,
        filename=filename,
        sha256=Sha256(hashlib.sha256(filename.encode()).hexdigest()),
        size=1234,
        metadata_sha256=Sha256(hashlib.sha256(b"METADATA " + filename.encode()).hexdigest()),
        requires_python=SpecifierSet(requires_python),
    )


class Anchors(HTMLParser):
    """Anchors of a page, and every tag that appears in it."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.anchors: list[tuple[dict[str, str | None], str]] = []
        self.tags: set[str] = set()
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            self.anchors.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.anchors and not self.anchors[-1][1]:
            self.anchors[-1] = (self.anchors[-1][0], data)


def test_an_anchor_says_what_a_client_needs() -> None:
    file = page_file()
    ((attributes, text),) = Anchors(project_html(DEMO, [file])).anchors
    assert text == file.filename
    assert attributes == {
        "href": f"../../files/demo-plugin/1.0.0/{file.filename}#sha256={file.sha256}",
        "data-core-metadata": f"sha256={file.metadata_sha256}",
        "data-dist-info-metadata": f"sha256={file.metadata_sha256}",
        "data-requires-python": "<4,>=3.11",
    }


def test_the_json_page_says_the_same_and_the_size() -> None:
    file = page_file()
    document = json.loads(project_json(DEMO, [file]))
    assert document["meta"] == {"api-version": "1.4"}
    assert (document["name"], document["versions"]) == ("demo-plugin", ["1.0.0"])
    assert document["files"] == [
        {
            "filename": file.filename,
            "url": f"../../files/demo-plugin/1.0.0/{file.filename}",
            "hashes": {"sha256": file.sha256},
            "size": 1234,
            "core-metadata": {"sha256": file.metadata_sha256},
            "dist-info-metadata": {"sha256": file.metadata_sha256},
            "yanked": False,
            "requires-python": "<4,>=3.11",
        }
    ]


@pytest.mark.parametrize(
    "base", ["https://host/deep/down/simple/demo-plugin/", "file:///srv/simple/demo-plugin/index.html"]
)
def test_links_are_relative_so_a_moved_tree_works(base: str) -> None:
    href = page_file("1.0.0+local.1").href
    assert ":" not in href
    root = base.partition("simple/")[0]
    expected = root + "files/demo-plugin/1.0.0+local.1/demo_plugin-1.0.0+local.1-py3-none-any.whl"
    assert unquote(urljoin(base, href)) == expected


def test_versions_stand_in_the_order_of_pep_440_not_of_text() -> None:
    files = [page_file(version) for version in ("1.10.0", "1.9.0", "1.9.0rc1", "2.0.0")]
    document = json.loads(project_json(DEMO, files))
    assert document["versions"] == ["1.9.0rc1", "1.9.0", "1.10.0", "2.0.0"]
    assert [anchor for _, anchor in Anchors(project_html(DEMO, files)).anchors] == [
        f"demo_plugin-{version}-py3-none-any.whl" for version in document["versions"]
    ]


def test_the_same_files_in_any_order_give_the_same_bytes() -> None:
    files = [page_file(f"1.{n}", tag) for n in range(12) for tag in ("py3-none-any", "cp312-cp312-linux_x86_64")]
    shuffled = random.Random(3).sample(files, len(files))
    assert project_html(DEMO, shuffled) == project_html(DEMO, files)
    assert project_json(DEMO, shuffled) == project_json(DEMO, files)


def test_text_from_a_wheel_cannot_become_markup() -> None:
    # Parsers refuse such names long before; a page must not rely on it.
    hostile = replace(
        page_file(),
        project=ProjectName('x"><script>alert(1)</script>'),
        filename='"><script>alert(2)</script>.whl',
        sha256=Sha256('"><script>alert(3)</script>'),
        metadata_sha256=Sha256("'\"><script>alert(4)</script>"),
    )
    page = Anchors(project_html(hostile.project, [hostile]))
    assert page.tags == {"html", "head", "meta", "title", "body", "h1", "a", "br"}


def test_a_file_for_every_python_announces_none() -> None:
    file = page_file(requires_python="")
    assert "requires-python" not in json.loads(project_json(DEMO, [file]))["files"][0]
    assert b"data-requires-python" not in project_html(DEMO, [file])


def test_a_project_without_files_has_a_page_that_says_so() -> None:
    assert Anchors(project_html(DEMO, [])).anchors == []
    assert json.loads(project_json(DEMO, [])) == {
        "meta": {"api-version": "1.4"}, "name": "demo-plugin", "versions": [], "files": [],
    }  # fmt: skip


@pytest.mark.parametrize(("reason", "shown"), [("breaks <on> 3.13", "breaks <on> 3.13"), ("", True)])
def test_both_pages_say_that_a_wheel_was_yanked_and_why(reason: str, shown: object) -> None:
    file, kept = replace(page_file(), yanked=reason), page_file("1.1.0")
    pages = Anchors(project_html(DEMO, [file, kept])).anchors
    assert [attributes.get("data-yanked") for attributes, _ in pages] == [reason, None]
    document = json.loads(project_json(DEMO, [file, kept]))
    assert [each["yanked"] for each in document["files"]] == [shown, False]


def test_only_what_was_signed_gives_a_time() -> None:
    signed = replace(page_file(), uploaded_at=datetime(2026, 11, 21, 7, 10, tzinfo=timezone(timedelta(hours=2))))
    entries = json.loads(project_json(DEMO, [signed, page_file("1.1.0")]))["files"]
    assert [entry.get("upload-time") for entry in entries] == ["2026-11-21T05:10:00Z", None]


def test_the_html_page_says_its_version() -> None:
    assert b'<meta name="pypi:repository-version" content="1.4">' in project_html(DEMO, [])


def test_both_pages_say_what_has_become_of_the_project_and_an_active_one_says_nothing() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    status = ProjectStatus(marker="quarantined", reason='its author\'s "key" <was> stolen', at=at)
    head = project_html(DEMO, [], status).decode()
    assert '<meta name="pypi:project-status" content="quarantined">' in head
    assert 'content="its author&#x27;s &quot;key&quot; &lt;was&gt; stolen">' in head
    assert json.loads(project_json(DEMO, [], status))["project-status"] == {
        "status": "quarantined",
        "reason": 'its author\'s "key" <was> stolen',
    }
    assert b"project-status" not in project_html(DEMO, []) + project_json(DEMO, [])

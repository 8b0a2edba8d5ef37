"""Pages of package indexes, in both of their formats, come to the same; what is no wheel of the project is left out."""

import json

import pytest

from assess_registry.locking.index_page import OfferedWheel, read_page
from assess_registry.names import ProjectName

URL, DEMO = "https://index.example.org/simple/demo/", ProjectName("demo")
A, B = "a" * 64, "b" * 64
WHEEL = "demo-1.0-py3-none-any.whl"


def page(*anchors: str, head: str = "") -> bytes:
    return f"<!DOCTYPE html><html><head>{head}</head><body>{''.join(anchors)}</body></html>".encode()


def anchor(href: str, more: str = "") -> str:
    return f'<a href="{href}" {more}>some text</a>'


def document(*files: object) -> bytes:
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": files}).encode()


def read(data: bytes) -> tuple[OfferedWheel, ...]:
    return read_page(data, url=URL, project=DEMO)


def test_both_formats_say_the_same() -> None:
    html = page(
        anchor(f"../../f/{WHEEL}#sha256={A}", f'data-requires-python="&gt;=3.9" data-core-metadata="sha256={B}"')
    )
    entry = {"filename": WHEEL, "url": f"../../f/{WHEEL}", "hashes": {"sha256": A}, "requires-python": ">=3.9"}
    as_json = document({**entry, "core-metadata": {"sha256": B}, "yanked": False})
    (found,) = read(html)
    assert found == read(as_json)[0]
    assert found == OfferedWheel(
        filename=WHEEL,
        url=f"https://index.example.org/f/{WHEEL}",
        sha256=found.sha256,
        metadata=found.metadata,
        requires_python=">=3.9",
        yanked=False,
    )
    assert (found.sha256, found.metadata) == (A, B)


@pytest.mark.parametrize(
    ("more", "metadata", "yanked"),
    [
        ("", None, False),
        ('data-core-metadata="true"', "", False),
        (f'data-dist-info-metadata="sha256={B}"', B, False),
        ('data-core-metadata="false" data-yanked', None, True),
        ('data-yanked="a reason" data-requires-python="nonsense"', None, True),
    ],
)
def test_what_an_anchor_says(more: str, metadata: str | None, yanked: bool) -> None:
    (found,) = read(page(anchor(f"{WHEEL}#sha256={A}", more)))
    assert (found.metadata, found.yanked, found.requires_python) == (metadata, yanked, "")


def test_links_are_relative_to_what_the_page_says() -> None:
    (found,) = read(page(anchor(f"f/{WHEEL}"), head='<base href="https://other.example.org/x/">'))
    assert found.url == f"https://other.example.org/x/f/{WHEEL}"
    assert found.sha256 is None
    (found,) = read(page(anchor(f"//other.example.org/{WHEEL}")))
    assert found.url == f"https://other.example.org/{WHEEL}"


@pytest.mark.parametrize(
    "other",
    ["demo-1.0.tar.gz", "other-1.0-py3-none-any.whl", "demo-x-py3-none-any.whl", "demo-1.0-py3-none-any.whl.exe", ""],
)
def test_what_is_no_wheel_of_the_project_is_left_out(other: str) -> None:
    for data in (page(anchor(other), anchor(WHEEL)), document(*({"filename": x, "url": x} for x in (other, WHEEL)))):
        assert [each.filename for each in read(data)] == [WHEEL]


def test_of_two_links_with_one_name_the_first_counts() -> None:
    (found,) = read(page(anchor(f"x/{WHEEL}#sha256={A}"), anchor(f"y/{WHEEL}#sha256={B}")))
    assert found.sha256 == A


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b'{"files": 1}',
        b'{"files": [1]}',
        b'{"files": [{"url": 1}]}',
        b"{",
        b'{"files": [{"url": "https://[", "filename": "demo-1.0-py3-none-any.whl"}]}',
    ],
)
def test_what_is_no_page_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(data)
    assert read(document()) == ()

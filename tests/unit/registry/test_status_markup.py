"""Markup of the catalogue: a text never becomes an element, an attribute or a link, whatever it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_registry.status.markup import document, joined, said, said_lines, tag
from assess_registry.text import plain
from tests.support.examples import examples
from tests.support.status_pages import read_page, tags

HOSTILE = (
    "<script>alert(1)</script>",
    '"onmouseover="alert(1)',
    "'><img src=x onerror=alert(1)>",
    "</title></style></pre><script>",
    "<!-- a comment",
    "<![CDATA[x]]>",
    "&lt;script&gt; &#60;script&#62; &amp;",
    "\x00\x1b[31mred\x1b[0m\x07",
    "safe \u202e\u2066 reversed \u2069",
    "\ud800 half a pair",
    "x" * 5000,
    "{{ 7 * 7 }} ${7*7} %s",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_text_everywhere(text: str) -> None:
    page = document(tag("body", tag("p", text, said(text), title=text), tag("pre", said_lines(text))))
    assert tags(page) == tags(document(tag("body", tag("p", "x", said("x"), title="x"), tag("pre", said_lines("x")))))
    assert not read_page(page).problems


@settings(max_examples=examples(150), deadline=None)
@given(st.text(st.characters(), max_size=80))
def test_no_text_changes_the_elements_of_a_page(text: str) -> None:
    page = document(tag("body", tag("p", said(text), class_=text)))
    parsed = read_page(page)
    assert tags(page) == tags(document(tag("body", tag("p", said("x"), class_="x"))))
    assert parsed.text.strip() == plain(text).strip()
    assert all(each.isprintable() or each == "\n" for each in page.decode())


def test_what_is_invisible_is_shown_as_its_code() -> None:
    assert said("a\u202eb\x1b").text == "<bdi>a\\u202eb\\x1b</bdi>"
    assert tag("p", "a\u202eb\nc").text == "<p>a\\u202eb c</p>"


def test_long_text_is_cut_visibly() -> None:
    assert said("x" * 50, max_chars=10).text == f"<bdi>{'x' * 9}…</bdi>"


@pytest.mark.parametrize("name", ["script", "iframe", "img", "object", "link", "base", "svg"])
def test_elements_that_act_or_load_are_not_made(name: str) -> None:
    with pytest.raises(ValueError, match="not an element"):
        tag(name)
    assert tag("p").text == "<p></p>"


@pytest.mark.parametrize("name", ["onclick", "onmouseover", "style", "src", "srcset", "formaction", "ping", "target"])
def test_attributes_that_act_or_load_are_not_made(name: str) -> None:
    with pytest.raises(ValueError, match="not an attribute"):
        tag("p", **{name: "x"})
    assert tag("p", class_="x").text == '<p class="x"></p>'


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        "https://evil.example",
        "//evil.example",
        "/etc/passwd",
        "data:text/html,x",
        "a b",
        "x\n",
        '"',
    ],
)
def test_a_link_stays_in_the_registry(href: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        tag("a", href=href)
    assert tag("a", href="../files/a%20b/index.html#top").text.startswith("<a href=")


def test_attributes_that_are_absent_are_left_out() -> None:
    made = tag("input", type="text", value=None, required=True, autocomplete=False)
    assert made.text == '<input type="text" required>'


def test_joined_nodes_have_the_separator_between_them_alone() -> None:
    assert tag("p", joined(", ", ["a", "b", "c"])).text == "<p>a, b, c</p>"
    assert joined(", ", []) == []

"""HTML that cannot be written wrongly: text is always escaped, and nothing in it can act or load anything.

    tag("p", "It runs ", tag("code", said(command)), class_="wide").text

A `str` is text wherever it is given; only `tag` makes markup. What strangers wrote goes through `said`, which puts it
on one line, makes what is invisible visible, cuts it, and keeps right-to-left letters from reordering what is beside.
Elements and attributes are those that a page of text needs: none runs script, none leads out of the registry.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

from assess_registry.text import plain, plain_lines

MAX_SAID = 2000
"""Characters of one text: the longest that a manifest may hold, a check's remediation."""

ELEMENTS = frozenset(
    (
        *("html", "head", "body", "title", "meta", "style", "header", "nav", "main", "footer", "section", "article"),
        *("h1", "h2", "h3", "p", "ul", "ol", "li", "dl", "dt", "dd", "div", "span", "bdi", "br", "a", "code", "pre"),
        *("strong", "em", "var", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "time"),
        *("form", "label", "input", "button"),
    )
)
VOID = frozenset(("meta", "br", "input"))
ATTRIBUTES = frozenset(
    (
        *("class", "id", "href", "lang", "charset", "name", "content", "http-equiv", "scope", "datetime", "title"),
        *("aria-label", "aria-current", "tabindex", "role", "open", "action", "method", "type", "for", "value"),
        *("maxlength", "autocomplete", "required"),
    )
)

# Relative, and without what would make it anything else: no scheme, no host, no query, nothing to escape.
_HREF = re.compile(r"(?!/)([A-Za-z0-9._~()%/+-]*)(#[a-z][a-z0-9-]*)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Html:
    """Markup, as `tag` made it."""

    text: str


Node: TypeAlias = "Html | str | Iterable[Node] | None"
"""What an element may hold: markup, text, several of them, or nothing."""


def tag(name: str, /, *children: Node, **attributes: str | bool | None) -> Html:
    """The element with these children; an attribute's trailing `_` is dropped, another one is `-`.

    An attribute that is True has no value, one that is None or False is left out.

    Raises:
        ValueError: no element or attribute of such a page, or a link that leads out of the registry.
    """
    if name not in ELEMENTS:
        raise ValueError(f"<{name}>: not an element of these pages")
    start = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{start}>")
    return Html(f"<{start}>{''.join(_texts(children))}</{name}>")


def style_sheet(text: str) -> Html:
    """The one style sheet, which is ours and is not escaped: what stands in `<style>` is no markup."""
    return Html(f"<style>{text}</style>")


def said(text: object, *, max_chars: int = MAX_SAID) -> Html:
    """What a stranger wrote, on one line."""
    return Html(f"<bdi>{escape(plain(text, max_chars=max_chars))}</bdi>")


def said_lines(text: object, *, max_chars: int = MAX_SAID) -> Html:
    """The same with its line breaks, for a `<pre>`."""
    # The first line break in a <pre> is swallowed by readers, and bdi keeps the directions apart.
    return Html(f"<bdi>{escape(plain_lines(text, max_chars=max_chars))}</bdi>")


def joined(separator: str, nodes: Iterable[Node]) -> list[Node]:
    """The nodes with this text between each two."""
    parts: list[Node] = []
    for node in nodes:
        parts += [separator, node] if parts else [node]
    return parts


def document(*children: Node) -> bytes:
    """A whole page in English, as bytes."""
    return f"<!doctype html>\n{tag('html', *children, lang='en').text}\n".encode()


def _texts(nodes: Iterable[Node]) -> Iterable[str]:
    for node in nodes:
        match node:
            case None:
                continue
            case Html():
                yield node.text
            case str():
                yield escape(_visible(node))
            case _:
                yield from _texts(node)


def _attribute(key: str, value: str | bool | None) -> str:
    name = key.removesuffix("_").replace("_", "-")
    if name not in ATTRIBUTES:
        raise ValueError(f"{name}: not an attribute of these pages")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    if name in ("href", "action") and not _HREF.match(value):
        raise ValueError(f"{name}: leads out of the registry, or nowhere: {value[:200]!r}")
    return f' {name}="{escape(plain(value))}"'


def _visible(text: str) -> str:
    """Our own text may hold blanks at its ends; line breaks in it are blanks, and nothing else is invisible."""
    if text.isprintable():
        return text
    return "".join(each if each == " " else plain(each) or " " for each in text)

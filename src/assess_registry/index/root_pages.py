"""The root pages, `simple/index.html` and `simple/index.json`: one name a project; pure.

They have to name every project (PEP 503, 691), and installers never ask for them: they know the name of what they look
for. So up to `AT_ONCE` projects a publish writes them anew. With more they carry a mark, a publish leaves them as they
are, and whoever refreshes the registry writes them: one more among a hundred thousand must not cost 8 MB of writing.
docs/adr/0013-root-pages.md.
"""

import html
import json
from collections.abc import Collection, Iterable
from urllib.parse import quote

from assess_registry.index.pages import API_VERSION, html_page, json_page
from assess_registry.names import ProjectName, parse_project

AT_ONCE = 2_000
"""Projects up to which root pages are written with each publish: 180 kB of both, 12 ms of work and two fsyncs."""

MARK_BYTES = 200
"""How much of a JSON root page shows whether it has the mark."""

_MARK = "_lists"
_AS_OF = "the projects of the last refresh; newer ones have their pages already"


def root_html(projects: Iterable[ProjectName]) -> bytes:
    """`simple/index.html` (PEP 503): one anchor a project."""
    names = sorted(projects)
    mark = [f"<p>Lists {_AS_OF}.</p>"] if _is_late(names) else []
    anchors = (f'<a href="{quote(name)}/">{html.escape(name)}</a><br>' for name in names)
    return html_page("Simple index", [*mark, *anchors])


def root_json(projects: Iterable[ProjectName]) -> bytes:
    """`simple/index.json` (PEP 691)."""
    names = sorted(projects)
    meta = {"api-version": API_VERSION} | ({_MARK: _AS_OF} if _is_late(names) else {})
    page = json_page({"meta": meta, "projects": []})
    # As `json_page` would write them, three times as fast: with an indent, json encodes in Python.
    if listed := ",\n".join(f'  {{\n   "name": {json.dumps(name)}\n  }}' for name in names):
        return page.replace(b"[]", f"[\n{listed}\n ]".encode())
    return page


def is_late(head: bytes) -> bool:
    """Whether the JSON root page that begins so is written by a refresh, and not by each publish."""
    return f'"{_MARK}"'.encode() in head


def projects_on_root(json_page: bytes) -> tuple[ProjectName, ...]:
    """The projects that a root page, as it is written here, names.

    Raises:
        ValueError: it is no such page.
    """
    try:
        return tuple(parse_project(project["name"]) for project in json.loads(json_page)["projects"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a root page: {error!r}") from error


def _is_late(names: Collection[ProjectName]) -> bool:
    return len(names) > AT_ONCE

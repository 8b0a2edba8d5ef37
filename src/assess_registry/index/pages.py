"""Simple-index pages as text and JSON; pure: the same files give the same bytes.

`index.html` is PEP 503 with the hashes of PEP 714, `index.json` is PEP 691 with the sizes of PEP 700. Links are
relative, so a copied or mirrored tree works unchanged. The pages have no authority: whoever verifies reads the signed
lock.

`upload-time` (optional in PEP 700) is left out: the time of an upload is not a property of the files, and with it the
same tree would give two different indexes.
"""

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from assess_registry.lock import specifier_text
from assess_registry.names import ProjectName, Sha256, parse_project

HTML_NAME, JSON_NAME = "index.html", "index.json"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "text/html"

API_VERSION = "1.1"
"""Of the JSON pages: 1.0 with PEP 700's `versions` and `size`."""

_HTML_VERSION = "1.0"
"""PEP 629: what the HTML pages are; sizes and versions exist in JSON only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageFile:
    """One wheel as its project's pages announce it.

    Attributes:
        metadata_sha256: of the `.metadata` file beside it (PEP 658). Always a hash: with a bare `true` pip believes a
            side file that lies.
        yanked: why nobody should choose it any more (PEP 592); None when they may.
    """

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    size: int
    metadata_sha256: Sha256
    requires_python: SpecifierSet
    yanked: str | None = None

    @property
    def href(self) -> str:
        """Relative to the project's page, without the fragment."""
        return f"../../files/{self.project}/{quote(self.version)}/{quote(self.filename)}"


def project_html(project: ProjectName, files: Iterable[PageFile]) -> bytes:
    """`simple/<project>/index.html` (PEP 503): one anchor a wheel, with its hash, its metadata's and its Python."""
    anchors = (_anchor(file) for file in in_order(files))
    return _page(f"Links for {project}", anchors)


def project_json(project: ProjectName, files: Iterable[PageFile]) -> bytes:
    """`simple/<project>/index.json` (PEP 691, 700)."""
    ordered = in_order(files)
    versions = list(dict.fromkeys(file.version for file in ordered))
    return _json(
        {
            "meta": {"api-version": API_VERSION},
            "name": project,
            "versions": versions,
            "files": [_json_file(file) for file in ordered],
        }
    )


def root_html(projects: Iterable[ProjectName]) -> bytes:
    """`simple/index.html` (PEP 503): one anchor a project."""
    return _page("Simple index", (f'<a href="{quote(name)}/">{html.escape(name)}</a><br>' for name in sorted(projects)))


def root_json(projects: Iterable[ProjectName]) -> bytes:
    """`simple/index.json` (PEP 691)."""
    page = _json({"meta": {"api-version": API_VERSION}, "projects": []})
    # As `_json` would write them, three times as fast: with an indent, json encodes in Python.
    if names := ",\n".join(f'  {{\n   "name": {json.dumps(name)}\n  }}' for name in sorted(projects)):
        return page.replace(b"[]", f"[\n{names}\n ]".encode())
    return page


def named_on_root(project: ProjectName, json_page: bytes, html_page: bytes) -> bool:
    """Whether both root pages, as they are written here, name the project."""
    return f'"name": "{project}"\n'.encode() in json_page and f'<a href="{quote(project)}/">'.encode() in html_page


def projects_on_root(json_page: bytes) -> tuple[ProjectName, ...]:
    """The projects that a root page, as it is written here, names.

    Raises:
        ValueError: it is no such page.
    """
    try:
        return tuple(parse_project(project["name"]) for project in json.loads(json_page)["projects"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a root page: {error!r}") from error


def in_order(files: Iterable[PageFile]) -> Sequence[PageFile]:
    """By version as PEP 440 orders them, then by filename."""
    return sorted(files, key=lambda file: (Version(file.version), file.version, file.filename))


def _anchor(file: PageFile) -> str:
    attributes = {
        "href": f"{file.href}#sha256={file.sha256}",
        "data-core-metadata": f"sha256={file.metadata_sha256}",
        "data-dist-info-metadata": f"sha256={file.metadata_sha256}",  # the older name, for pip before 23.2 (PEP 714)
    }
    if file.requires_python:
        attributes["data-requires-python"] = specifier_text(file.requires_python)
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    text = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {text}>{html.escape(file.filename)}</a><br>"


def _json_file(file: PageFile) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": file.href,
        "hashes": {"sha256": file.sha256},
        "size": file.size,
        "core-metadata": {"sha256": file.metadata_sha256},
        "dist-info-metadata": {"sha256": file.metadata_sha256},
        # An empty reason is no reason to a program that asks whether it is true (PEP 691: a boolean or a string).
        "yanked": False if file.yanked is None else file.yanked or True,
    }
    if file.requires_python:
        entry["requires-python"] = specifier_text(file.requires_python)
    return entry


def _page(title: str, lines: Iterable[str]) -> bytes:
    head = (
        "<!DOCTYPE html>\n<html>\n<head>\n"
        '<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{_HTML_VERSION}">\n'
        f"<title>{html.escape(title)}</title>\n</head>\n<body>\n<h1>{html.escape(title)}</h1>\n"
    )
    return (head + "".join(f"{line}\n" for line in lines) + "</body>\n</html>\n").encode()


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()

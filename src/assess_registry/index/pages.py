"""A project's page as HTML and as JSON; pure: the same files give the same bytes.

`index.html` is PEP 503 with yanks (592), version (629), metadata (658, 714) and status (792); `index.json` is PEP 691
with all of that and the sizes and times of PEP 700. Links are relative, so a copied or mirrored tree works unchanged.
The pages have no authority: whoever verifies reads the signed catalogue, or the signed lock.

`upload-time` is when the signed catalogue says that the release was published. A mirrored dependency has none: when it
was copied is not a property of its bytes, and with it the same tree would give two different indexes.
"""

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from assess_registry.canonical import write_time
from assess_registry.catalogue import ProjectStatus
from assess_registry.lock import specifier_text
from assess_registry.names import ProjectName, Sha256

HTML_NAME, JSON_NAME = "index.html", "index.json"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "text/html"

API_VERSION = "1.4"
"""PEP 629, of both forms: `versions` and `size` (1.1, PEP 700) and project status (1.4, PEP 792). What 1.2 and 1.3 add
is optional: a project here has no other locations (PEP 708), and PEP 740's provenance has no room for Ed25519."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageFile:
    """One wheel as its project's pages announce it.

    Attributes:
        metadata_sha256: of the `.metadata` file beside it (PEP 658). Always a hash: with a bare `true` pip believes a
            side file that lies.
        yanked: why nobody should choose it any more (PEP 592); None when they may.
        uploaded_at: when it was published, as signed; None of a mirrored dependency.
    """

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    size: int
    metadata_sha256: Sha256
    requires_python: SpecifierSet
    yanked: str | None = None
    uploaded_at: datetime | None = None

    @property
    def href(self) -> str:
        """Relative to the project's page, without the fragment."""
        return f"../../files/{self.project}/{quote(self.version)}/{quote(self.filename)}"


def project_html(project: ProjectName, files: Iterable[PageFile], status: ProjectStatus | None = None) -> bytes:
    """`simple/<project>/index.html` (PEP 503): one anchor a wheel, with its hash, its metadata's and its Python."""
    anchors = (_anchor(file) for file in in_order(files))
    said = [("pypi:project-status", status.marker), ("pypi:project-status-reason", status.reason)] if status else []
    return html_page(f"Links for {project}", anchors, said)


def project_json(project: ProjectName, files: Iterable[PageFile], status: ProjectStatus | None = None) -> bytes:
    """`simple/<project>/index.json` (PEP 691, 700)."""
    ordered = in_order(files)
    versions = list(dict.fromkeys(file.version for file in ordered))
    return json_page(
        {
            "meta": {"api-version": API_VERSION},
            "name": project,
            **({"project-status": {"status": status.marker, "reason": status.reason}} if status else {}),
            "versions": versions,
            "files": [_json_file(file) for file in ordered],
        }
    )


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
    if file.uploaded_at is not None:
        entry["upload-time"] = write_time(file.uploaded_at)
    return entry


def html_page(title: str, lines: Iterable[str], meta: Iterable[tuple[str, str]] = ()) -> bytes:
    """A page of these lines, which are markup; title and meta are text."""
    named = (("pypi:repository-version", API_VERSION), *meta)
    head = (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        + "".join(f'<meta name="{name}" content="{html.escape(content)}">\n' for name, content in named)
        + f"<title>{html.escape(title)}</title>\n</head>\n<body>\n<h1>{html.escape(title)}</h1>\n"
    )
    return (head + "".join(f"{line}\n" for line in lines) + "</body>\n</html>\n").encode()


def json_page(value: dict[str, Any]) -> bytes:
    """A page of this value."""
    return (json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()

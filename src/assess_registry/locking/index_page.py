"""A page of a package index, read for the wheels it offers: JSON (PEP 691) or HTML (PEP 503), whichever it is.

What a page says of a wheel is an announcement: the digest binds what is fetched later, and what else matters is read
from the wheel. Files of other kinds, names that are none, and wheels of other projects are left out.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from assess_registry.names import ProjectName, Sha256, parse_sha256
from assess_registry.wheel.filename import read_filename

MAX_PAGE_BYTES = 64 << 20
"""Room for 100,000 files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferedWheel:
    """A wheel as a page announces it.

    Attributes:
        url: absolute, without fragment.
        sha256: of its bytes; empty where the page announces none.
        metadata: digest of the METADATA beside it (PEP 658, 714); empty when there is one of which the page has none;
            None when there is none.
        requires_python: as the page says, if that can be read.
        yanked: PEP 592.
    """

    filename: str
    url: str
    sha256: Sha256 | None
    metadata: Sha256 | str | None
    requires_python: str
    yanked: bool


def read_page(data: bytes, *, url: str, project: ProjectName) -> tuple[OfferedWheel, ...]:
    """The wheels of a project that the page at `url` offers, each once.

    Raises:
        ValueError: it is no page.
    """
    text = data.decode("utf-8")
    entries = _from_json(text) if text.lstrip()[:1] == "{" else _from_html(text)
    found: dict[str, OfferedWheel] = {}
    for entry in entries:
        filename = entry["filename"]
        name = read_filename(filename, kind="dependency", issues=[]) if filename.endswith(".whl") else None
        if name is not None and name.project == project:
            found.setdefault(filename, _offered(entry, urljoin(url, entry["url"])))
    return tuple(found.values())


def _offered(entry: dict[str, Any], url: str) -> OfferedWheel:
    address = urldefrag(url)
    return OfferedWheel(
        filename=entry["filename"],
        url=address.url,
        sha256=_sha256(entry["sha256"] or _fragment(address.fragment)),
        metadata=_metadata(entry["metadata"]),
        requires_python=_requires_python(entry["requires-python"]),
        yanked=entry["yanked"],
    )


def _from_json(text: str) -> Iterator[dict[str, Any]]:
    files = json.loads(text).get("files")
    if not isinstance(files, list):
        raise ValueError("its files are no list")
    for each in files:
        if not isinstance(each, dict) or not isinstance(each.get("url"), str):
            raise ValueError("one of its files has no url")
        hashes, metadata = each.get("hashes"), each.get("core-metadata", each.get("data-dist-info-metadata"))
        yield {
            "filename": str(each.get("filename", "")),
            "url": each["url"],
            "sha256": hashes.get("sha256") if isinstance(hashes, dict) else None,
            "metadata": metadata.get("sha256", True) if isinstance(metadata, dict) else metadata,
            "requires-python": each.get("requires-python"),
            "yanked": each.get("yanked", False) is not False,
        }


def _from_html(text: str) -> Iterator[dict[str, Any]]:
    page = _Anchors()
    page.feed(text)
    page.close()
    for anchor in page.anchors:
        link = urljoin(page.base, anchor["href"] or "") if page.base else anchor["href"] or ""
        metadata = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata"))
        yield {
            # As it is linked: what stands between the tags is for people.
            "filename": unquote(urlsplit(link).path.rpartition("/")[2]),
            "url": link,
            "sha256": None,
            "metadata": _fragment(metadata or "") or metadata == "true",
            "requires-python": anchor.get("data-requires-python"),
            "yanked": "data-yanked" in anchor,
        }


class _Anchors(HTMLParser):
    """Links of a page, and what it says they are relative to."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: list[dict[str, str | None]] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what is a link."""
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.anchors.append(found)
        elif tag == "base" and not self.base:
            self.base = found.get("href") or ""


def _fragment(text: str) -> str | None:
    kind, _, digest = text.partition("=")
    return digest if kind == "sha256" else None


def _sha256(value: object) -> Sha256 | None:
    try:
        return parse_sha256(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _metadata(value: object) -> Sha256 | str | None:
    if not value:
        return None
    return _sha256(value) or ""


def _requires_python(value: object) -> str:
    try:
        return str(SpecifierSet(value)) if isinstance(value, str) else ""
    except InvalidSpecifier:
        return ""

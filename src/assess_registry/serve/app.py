"""The answers: a file that is for everybody, a page in the form that was asked for, or why not. Starlette's, and ASGI.

1. Only to whom it is meant for (`Host`), and only GET and HEAD.
2. The path names something public, or it is 404, whatever lies there.
3. A directory has a page: of `simple/` in the negotiated form, else `index.html`; without its slash it is redirected.
4. The file that was opened is the file that is sent, also when a publish puts another one in its place meanwhile.
"""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send

from assess_registry.config import CONFIG_NAME
from assess_registry.errors import RegistryError
from assess_registry.index.pages import HTML_NAME, HTML_TYPE, JSON_NAME, JSON_TYPE
from assess_registry.index.tree import METADATA_SUFFIX, SIMPLE, WHEEL_SUFFIX
from assess_registry.names import normalize_project
from assess_registry.serve.negotiate import FORMS, negotiated
from assess_registry.serve.public import is_directory, open_public, public_parts
from assess_registry.signatures import SIGNATURE_SUFFIX
from assess_registry.status.search import answer, is_search

OCTETS = "application/octet-stream"
TYPES = {
    WHEEL_SUFFIX: OCTETS,
    METADATA_SUFFIX: "text/plain",
    SIGNATURE_SUFFIX: "text/plain",
    ".json": "application/json",
    ".toml": "application/toml",
    ".html": HTML_TYPE,
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".xml": "application/xml",
}
"""Suffix -> media type; anything else is octets. Not the system's table, which differs from machine to machine."""

_HEADERS = {
    "x-content-type-options": "nosniff",
    # Pages change; also a wheel may, in a development registry. Whoever has it asks by its ETag.
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}
_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})", re.ASCII | re.IGNORECASE)
"""One range, as RFC 9110, 14.1.2 spells it."""

_LIBRARY = StaticFiles()
"""For its reading of `If-None-Match` and `If-Modified-Since`."""


class RegistryFiles:
    """An ASGI application that serves what is public below a registry's root."""

    def __init__(self, root: Path, *, hosts: Collection[str] | None) -> None:
        """Of this registry, for those who ask by one of these names, without ports; None for any.

        A page of a stranger that makes a browser take its own name for this machine asks by that name.
        """
        self._root = root
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']}: expected http alone")
        headers = Headers(scope=scope)
        answer: Response | _Found
        if self._hosts is not None and _host(headers) not in self._hosts:
            answer = _refusal(421, "this server answers to its own name alone")
        elif scope["method"] not in ("GET", "HEAD"):
            answer = _refusal(405, "files are read here, with GET or HEAD", allow="GET, HEAD")
        else:
            answer = self._find(scope, headers)
        if isinstance(answer, Response):
            return await answer(scope, receive, send)
        try:
            await _file(answer, headers)(_one_range(scope), receive, send)
        finally:
            os.close(answer.descriptor)

    def _find(self, scope: Scope, headers: Headers) -> "Response | _Found":
        path: str = scope["path"]
        if path == "/":
            return RedirectResponse(f"/{SIMPLE}/", status_code=307)
        parts = public_parts(path)  # 2
        if parts is not None and is_search(parts) and (self._root / CONFIG_NAME).exists():
            return self._search(scope)
        found = open_public(self._root, parts) if parts else None
        if parts is None or found is None:
            return _normalised(path) or _refusal(404, "nothing of this name is published here")
        if not is_directory(found):
            if path.endswith("/"):
                os.close(found)
                return _refusal(404, "nothing of this name is published here")
            return _Found(descriptor=found, media_type=_type(parts))
        os.close(found)  # 3
        if not path.endswith("/"):
            return RedirectResponse(quote(path) + "/", status_code=301)
        form: str | None = HTML_TYPE
        if parts[0] == SIMPLE:
            form = negotiated(",".join(headers.getlist("accept")) or None, _format(scope))
        if form is None:
            return _refusal(406, f"a page is to be had as {', '.join(FORMS)}", vary="Accept")
        page = open_public(self._root, (*parts, JSON_NAME if form == JSON_TYPE else HTML_NAME))
        if page is None:
            return _refusal(404, "nothing of this name is published here")
        return _Found(descriptor=page, media_type=form, is_negotiated=parts[0] == SIMPLE)

    def _search(self, scope: Scope) -> Response:
        """What plain files cannot answer: the one page that is made when it is asked for."""
        asked = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=10).get("q")
        try:
            return Response(answer(self._root, asked[0] if asked else ""), media_type=HTML_TYPE, headers=_HEADERS)
        except RegistryError:
            return _refusal(503, "the lists of this registry's catalogue cannot be read; see: assess-registry refresh")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """An open file, and as what to send it."""

    descriptor: int
    media_type: str
    is_negotiated: bool = False


def _file(found: _Found, headers: Headers) -> Response:
    status = os.fstat(found.descriptor)
    answer = FileResponse(
        f"/proc/self/fd/{found.descriptor}",  # 4
        media_type=found.media_type,
        stat_result=status,
        headers={
            **_HEADERS,
            "etag": f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"',
            **({"vary": "Accept"} if found.is_negotiated else {}),
        },
    )
    if _LIBRARY.is_not_modified(answer.headers, headers):
        return NotModifiedResponse(answer.headers)
    return answer


def _format(scope: Scope) -> str | None:
    """`?format=` (PEP 691), in which `+` is itself and no blank: `application/vnd.pypi.simple.v1+json`."""
    pairs = (pair.partition("=") for pair in scope["query_string"].decode("latin-1").split("&")[:10])
    return next((unquote(value) for name, _, value in pairs if name == "format"), None)


def _one_range(scope: Scope) -> Scope:
    """The request without a `Range` that is of several ranges, or none at all: then all is given (RFC 9110, 14.2)."""
    headers = MutableHeaders(raw=list(scope["headers"]))
    if "range" in headers and not _RANGE.fullmatch(headers["range"]):
        del headers["range"]
    return {**scope, "headers": headers.raw}


def _type(parts: tuple[str, ...]) -> str:
    if parts[0] == SIMPLE and parts[-1] == JSON_NAME:
        return JSON_TYPE
    return TYPES.get(Path(parts[-1]).suffix, OCTETS)


def _normalised(path: str) -> Response | None:
    """To `simple/<project>/` from another spelling of the project (PEP 503); None when it is none."""
    parts = path.split("/")
    if len(parts) not in (3, 4) or parts[1] != SIMPLE or parts[3:] not in ([], [""]):
        return None
    try:
        name = normalize_project(parts[2])
    except ValueError:
        return None
    return RedirectResponse(f"/{SIMPLE}/{name}/", status_code=301) if name != parts[2] else None


def _host(headers: Headers) -> str:
    host = headers.get("host", "").lower()
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _refusal(status: int, why: str, **headers: str) -> Response:
    return PlainTextResponse(f"{status}: {why}\n", status_code=status, headers={**_HEADERS, **headers})

"""The index as uv sees it: on loopback, of wheels alone, and with nowhere else to go.

uv connects to whatever a page links to, before anybody could look. So it is given no address but this one. Its
questions are answered from the index that was named (`upstream`): from its pages and the metadata of wheels, both read
here and written anew. Every link leads back here, every wheel has a digest, and requirements are said plainly
(`closure.stubs`); a wheel that requires something from an address is shown as one that cannot be read.

    with closing(Upstream(source, deadline)) as upstream, mirror(upstream, given={"mine"}) as ours:
        chosen = resolve(..., index=ours.url)
        ours.found("demo", "demo-1.0-py3-none-any.whl").url        where it really lies
"""

import contextlib
import hashlib
import json
import re
import secrets
import threading
from collections.abc import Collection, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from assess_registry.closure.stubs import metadata_in, plain_metadata, read_core
from assess_registry.errors import NotPublishedError, RegistryError, TrustError
from assess_registry.locking.index_page import MAX_PAGE_BYTES, OfferedWheel, read_page
from assess_registry.locking.upstream import Upstream
from assess_registry.names import ProjectName, parse_project
from assess_registry.wheel import MAX_WHEEL_BYTES
from assess_registry.wheel.metadata import MAX_METADATA_BYTES

MAX_NOTES = 20
_JSON = "application/vnd.pypi.simple.v1+json"
_METADATA = ".metadata"
_PAGE = re.compile(r"/simple/(?P<project>[^/]+)/\Z")
_FILE = re.compile(r"/files/(?P<project>[^/]+)/(?P<filename>[^/]+)\Z")


class Mirror:
    """What was asked of the index, and what came of it.

    Attributes:
        url: of its pages, for uv.
        problem: the first thing that nobody should go on after.
        notes: what uv was not shown, each with the reason.
    """

    def __init__(self, upstream: Upstream, *, given: Collection[ProjectName]) -> None:
        self.url = ""
        self.problem: RegistryError | None = None
        self.notes: list[str] = []
        self._upstream, self._given = upstream, frozenset(given)
        self._pages: dict[ProjectName, dict[str, OfferedWheel]] = {}
        self._turn = threading.Lock()

    def found(self, project: ProjectName, filename: str) -> OfferedWheel:
        """A wheel that was on a page.

        Raises:
            KeyError: it was not.
        """
        return self._pages[project][filename]

    def answer(self, path: str) -> tuple[bytes, str] | None:
        """Content and its type; None for what there is not."""
        try:
            if page := _PAGE.match(path):
                return self._page(parse_project(page["project"])), _JSON
            if (file := _FILE.match(path)) and file["filename"].endswith(_METADATA):
                found = self.found(parse_project(file["project"]), file["filename"].removesuffix(_METADATA))
                return self._metadata(found), "text/plain; charset=utf-8"
        except (NotPublishedError, KeyError, ValueError):
            return None
        except RegistryError as error:
            with self._turn:
                self.problem = self.problem or error
        return None

    def _page(self, project: ProjectName) -> bytes:
        if project in self._given:
            raise KeyError(project)  # of what was given the index has no say, and it is not told the name
        data = self._upstream.page(project, max_bytes=MAX_PAGE_BYTES)
        try:
            wheels = read_page(data, url=self._upstream.page_url(project), project=project)
        except (ValueError, RecursionError) as error:
            raise _no_page(self._upstream.page_url(project), error) from error
        for each in wheels:
            self._upstream.require_ours(each.filename, each.url)
            if each.sha256 is None:
                self._note(f"{each.filename}: the index announces no sha256 of it")
        self._pages[project] = {each.filename: each for each in wheels if each.sha256 is not None}
        return _document(project, self._pages[project].values())

    def _metadata(self, wheel: OfferedWheel) -> bytes:
        """What uv may know of a wheel; what nobody could install says nothing, and uv goes on to another version."""
        found, issues = read_core(wheel.filename, self._read_metadata(wheel))
        if found is None or issues:
            self._note(f"{wheel.filename}: {issues[0].message if issues else 'is no wheel'}")
            return b""
        name, version = wheel.filename.split("-")[:2]
        return plain_metadata(name, version, found.requires_python, found.requires_dist)

    def _read_metadata(self, wheel: OfferedWheel) -> bytes:
        if wheel.metadata is not None:
            with contextlib.suppress(NotPublishedError):
                name = wheel.filename + _METADATA
                beside = self._upstream.read(name, wheel.url + _METADATA, max_bytes=MAX_METADATA_BYTES)
                if wheel.metadata:
                    require_digest(name, beside, wheel.metadata)
                return beside
        data = self._upstream.read(wheel.filename, wheel.url, max_bytes=MAX_WHEEL_BYTES)
        require_digest(wheel.filename, data, wheel.sha256 or "")
        return metadata_in(wheel.filename, data) or b""

    def _note(self, text: str) -> None:
        with self._turn:
            if len(self.notes) < MAX_NOTES and text not in self.notes:
                self.notes.append(text)


@contextlib.contextmanager
def mirror(upstream: Upstream, *, given: Collection[ProjectName]) -> Iterator[Mirror]:
    """Inside, the index is to be had on loopback; of the projects that were given it is not asked."""
    token = "/" + secrets.token_urlsafe(16)  # other users of this machine have no business here
    ours = Mirror(upstream, given=given)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, token, ours)) as server:
        server.daemon_threads = True  # one that still waits for the index does so until the deadline, and no longer
        ours.url = f"http://127.0.0.1:{server.server_address[1]}{token}/simple/"
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True)
        thread.start()
        try:
            yield ours
        finally:
            server.shutdown()
            thread.join()


def require_digest(filename: str, data: bytes, sha256: str) -> None:
    """What came is what was announced.

    Raises:
        TrustError: step `hash`: it is not.
    """
    got = hashlib.sha256(data).hexdigest()
    if got != sha256:
        raise TrustError(
            "the index served another file than it announced",
            step="hash",
            thing=filename,
            expected=f"sha256 {sha256}",
            got=f"sha256 {got}",
            next_step="try again later; if it stays so, do not use this index",
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, token: str, ours: Mirror, *args: Any) -> None:
        self._token, self._ours = token, ours
        super().__init__(*args)

    def do_GET(self) -> None:
        found = None
        if self.path.startswith(self._token + "/"):
            found = self._ours.answer(unquote(self.path.removeprefix(self._token)))
        body, kind = found or (b"", "text/plain")
        with contextlib.suppress(OSError):  # uv has been ended
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  http.server's name
        """Nothing: what matters is in `Mirror`."""


def _document(project: ProjectName, wheels: Collection[OfferedWheel]) -> bytes:
    files = []
    for each in wheels:
        said: dict[str, object] = {
            "filename": each.filename,
            "url": f"../../files/{project}/{each.filename}",
            "hashes": {"sha256": each.sha256},
            "core-metadata": True,
            "yanked": each.yanked,
        }
        files.append(said | ({"requires-python": each.requires_python} if each.requires_python else {}))
    return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": files}).encode()


def _no_page(url: str, error: Exception) -> TrustError:
    return TrustError(
        f"this is no page of a package index: {error}",
        step="index",
        thing=url,
        expected="JSON (PEP 691) or HTML (PEP 503)",
        got="something else",
        next_step="name the address of the index's simple pages: --fetch-from URL",
    )

"""The package index that was named, and nobody else: every byte of it comes through here.

A link is followed where its scheme and host are the index's own, or its host was named for files. Nothing else is ever
connected to, no redirect is followed, and one deadline is for all of it (`client.transport`).
"""

import itertools
import re
import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from assess_registry.client.location import Location, parse_base
from assess_registry.client.transport import Access, Deadline, Transport, open_transport
from assess_registry.errors import ConfigError, TrustError
from assess_registry.names import ProjectName

CONNECTIONS = 4
"""To each host at one time; uv asks for the pages of all projects at once."""

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexSource:
    """A package index that was named explicitly.

    Attributes:
        url: of its simple pages (PEP 503 or 691).
        files_hosts: `HOST` or `HOST:PORT` of others that its pages may link to files on.
        proxy: `http://HOST:PORT` to tunnel through; empty: none, whatever the environment says.
        ca_file: authorities that may vouch for its host, instead of the system's.
        timeout_s: for all that is asked of it.
    """

    url: str
    files_hosts: Collection[str] = ()
    proxy: str = ""
    ca_file: Path | None = None
    timeout_s: float = 120.0


def require_index(source: IndexSource) -> None:
    """The address is one that wheels are fetched from, and so are the hosts named for files.

    Raises:
        ConfigError: one is not.
    """
    try:
        if parse_base(source.url).directory is not None:
            raise ConfigError("the index to fetch from: a folder of this machine is given as the closure")
    except ValueError as error:
        raise ConfigError(f"the index to fetch from: {error}") from error
    for host in source.files_hosts:
        try:
            if not _HOST.match(host):
                raise ValueError("expected HOST or HOST:PORT, in lower case")
            parse_base(f"{urlsplit(source.url).scheme}://{host}/")
        except ValueError as error:
            raise ConfigError(f"host of files {host!r}: {error}") from error


class Upstream:
    """Reads an index; may be shared by threads. To be closed."""

    def __init__(self, source: IndexSource, deadline: Deadline) -> None:
        require_index(source)
        self._source, self._deadline = source, deadline
        self._base = parse_base(source.url)
        scheme, host = urlsplit(self._base.url)[:2]
        self._own = f"{scheme}://{host}/"
        self._origins = {self._own} | {f"{scheme}://{each}/" for each in source.files_hosts}
        self._transports: dict[tuple[str, int], Transport] = {}
        self._turns = itertools.count()
        self._lock = threading.Lock()

    def page_url(self, project: ProjectName) -> str:
        """Where the index has its page of a project."""
        return f"{self._base.url}{project}/"

    def page(self, project: ProjectName, *, max_bytes: int) -> bytes:
        """The page of a project; `read` has what it raises."""
        location = Location(self.page_url(project).removeprefix(self._own))
        return self._transport(self._own).read(location, max_bytes=max_bytes, deadline=self._deadline)

    def read(self, filename: str, url: str, *, max_bytes: int) -> bytes:
        """A file that the index has a link to.

        Raises:
            NotPublishedError: it is not there.
            TransportError: not to be had, or not by the deadline.
            TrustError: step `index`: the link leads to a place that was not named; `redirect`, `length`.
        """
        origin = self.require_ours(filename, url)
        location = parse_base(origin).locate(Location("index"), url)
        return self._transport(origin).read(location, max_bytes=max_bytes, deadline=self._deadline)

    def require_ours(self, filename: str, url: str) -> str:
        """Scheme and host of a link that may be followed.

        Raises:
            TrustError: step `index`: it may not.
        """
        scheme, host = urlsplit(url)[:2]
        origin = f"{scheme}://{host}/"
        try:
            if origin in self._origins:
                parse_base(origin).locate(Location("index"), url)
                return origin
        except ValueError as error:
            raise _strange(filename, str(error), url) from error
        problem = f"on {host!r}, which was not named" if host else "at no address of an index"
        raise _strange(filename, problem, url, other=host)

    def close(self) -> None:
        """Give back all connections."""
        for transport in self._transports.values():
            transport.close()

    def _transport(self, origin: str) -> Transport:
        with self._lock:
            key = (origin, next(self._turns) % CONNECTIONS)
            if key not in self._transports:
                secure = origin.startswith("https:")
                access = Access(proxy=self._source.proxy, ca_file=self._source.ca_file) if secure else Access()
                self._transports[key] = open_transport(parse_base(origin), access)
            return self._transports[key]


def _strange(filename: str, problem: str, url: str, *, other: str = "") -> TrustError:
    return TrustError(
        f"the index says that it lies where nothing is fetched from: {problem}",
        step="index",
        thing=filename,
        expected="a link to the host of the index, or to one named with --files-host",
        got=url[:200],
        next_step=f"if the index keeps its files there, say so: --files-host {other}; else do not use it"
        if other
        else "do not use this index",
    )

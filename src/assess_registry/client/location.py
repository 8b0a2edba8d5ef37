"""Where a registry lies, and what may be asked of it: nothing that is not below its base.

A `Location` is a path below the base, decoded, made of plain segments. Pages and locks state links; `Base.locate`
turns a link into a location or refuses it, so that another host, another scheme, a parent directory or `file://` cannot
even be expressed further in. pip, for comparison, follows a `file:///` link on an http index page.

    base = parse_base("https://registry.example/assess")
    base.locate(Location("simple/demo/index.json"), "../../files/demo/1.0/demo-1.0-py3-none-any.whl")
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NewType
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

Location = NewType("Location", str)
"""A file of a registry: `/`-separated segments below its base, decoded, for example `simple/demo/index.json`."""

MAX_LINK = 2048
"""Characters of a link; the longest path this registry writes has under 400."""

_GRAPHIC = re.compile(r"[!-~]+\Z", re.ASCII)
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!~-]*\Z", re.ASCII)
_SAFE = "+!~"
"""What a wheel's version may hold and a path segment may carry as it is (RFC 3986, pchar)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """The root of a registry.

    Attributes:
        url: absolute, normalised, ends with `/`.
        directory: the same place on disk, for a `file:` registry.
    """

    url: str
    directory: Path | None

    def url_of(self, location: Location) -> str:
        """The address of a location, for a request or a message."""
        return self.url + quote(location, safe="/" + _SAFE)

    def locate(self, page: Location, link: str) -> Location:
        """The location that `link`, found on `page`, leads to; its fragment is ignored.

        Raises:
            ValueError: it leads away from this registry, or is no plain path. The message says which.
        """
        if len(link) > MAX_LINK or not _GRAPHIC.match(link) or "\\" in link:
            raise ValueError(f"link {link[:80]!r} is not a plain URL of at most {MAX_LINK} ASCII characters")
        absolute = urljoin(self.url_of(page), urldefrag(link).url)
        if not absolute.startswith(self.url):
            raise ValueError(f"link {link!r} leads to {absolute!r}, outside of the registry {self.url!r}")
        # Decoded once and then held to a grammar: an encoded `..`, `/`, `?` or a second layer of `%` has no way in.
        segments = [unquote(segment) for segment in absolute.removeprefix(self.url).split("/")]
        if not all(_SEGMENT.match(segment) for segment in segments):
            raise ValueError(f"link {link!r} is not a path of plain segments below the registry")
        return Location("/".join(segments))


def parse_base(url: str) -> Base:
    """The base that a configured URL names: `https://…`, `http://` on loopback, or `file:///absolute/path`.

    Raises:
        ValueError: it is anything else; plain http elsewhere would tell the network what this machine is missing. The
            message does not repeat the URL, which may hold a password.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if not _GRAPHIC.match(url) or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("expected no blank, user, password, query or fragment")
    if parts.scheme == "file":
        return _file_base(parts.netloc, parts.path)
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("expected https://HOST/PATH, http:// on loopback, or file:PATH")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(f"plain http is for loopback only: write https://{parts.netloc}{parts.path}")
    if any(unquote(segment) in (".", "..") for segment in parts.path.split("/")):
        raise ValueError("write the path without '.' and '..'")
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    return Base(url=f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}/", directory=None)


def absolute_url(url: str, *, directory: Path) -> str:
    """`url`, with the path of a relative `file:` URL made absolute against `directory` (where the config file lies)."""
    path = url.removeprefix("file:")
    if path == url or path.startswith("/"):
        return url
    return (directory.absolute() / unquote(path)).as_uri()


def _file_base(netloc: str, path: str) -> Base:
    directory = Path(unquote(path))
    if netloc not in ("", "localhost") or not directory.is_absolute() or "\0" in str(directory):
        raise ValueError("a file URL names a directory of this machine: write file:PATH or file:///PATH")
    # Resolved here, once: `..` in a configured path is the operator's own, `..` in a link never gets this far.
    directory = directory.resolve()
    return Base(url=directory.as_uri().rstrip("/") + "/", directory=directory)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

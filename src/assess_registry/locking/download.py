"""Wheels from a package index that was named, each held to the digest under which it was chosen.

uv read the index's pages; what it chose is believed as far as the digest goes. The bytes are fetched by our own
transport: https (http on loopback alone), no redirect, one deadline for all of it, no more bytes than a wheel may have.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from packaging.markers import Environment
from packaging.pylock import Package, PackageWheel, Pylock, PylockSelectError
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from assess_registry.client.location import Location, parse_base
from assess_registry.client.transport import Access, Deadline, Transport, open_transport
from assess_registry.closure.resolve import IndexSource
from assess_registry.errors import ConfigError, PublishError, TrustError
from assess_registry.files import atomic_write
from assess_registry.names import ProjectName, normalize_project, parse_sha256
from assess_registry.targets import RegistryTarget
from assess_registry.wheel import MAX_WHEEL_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """One wheel of an index."""

    project: ProjectName
    filename: str
    url: str
    sha256: str


def taken_by_targets(chosen: Pylock, targets: Sequence[RegistryTarget]) -> tuple[Download, ...]:
    """The wheels that an installer on some target would take (PEP 751), and nothing else of what the index has.

    Raises:
        PublishError: a target finds no wheel; all such targets, each with the project.
    """
    taken: dict[str, Download] = {}
    problems = []
    selected: set[str] = set()
    for target in targets:
        environment = cast("Environment", dict(target.environment))
        try:
            for package, wheel in chosen.select(environment=environment, tags=target.tags):
                if isinstance(wheel, PackageWheel):
                    taken |= {wheel.filename: _download(package, wheel)}
                    selected.add(package.name)
        except PylockSelectError as error:
            problems.append(f"  {target.name}: {error}")
    if problems:
        lines = "\n".join(problems)
        raise PublishError(f"the index has no wheels for every target of the registry:\n{lines}")
    # Chosen, and taken by no target as such: some patch level of its Python needs it, which the closure finds out.
    for package in chosen.packages:
        if package.name not in selected:
            taken |= {each.filename: _download(package, each) for each in _fitting(package, targets)}
    return tuple(taken[name] for name in sorted(taken))


def download(
    wanted: Sequence[Download], directory: Path, *, index: IndexSource, deadline: Deadline, max_bytes: int
) -> None:
    """Every one of them is in the directory, whole and as it was announced.

    Raises:
        TrustError: step `hash`: other bytes than announced; `length`, `redirect`; `index`: a place that is none.
        TransportError: not to be had, or not by the deadline.
    """
    transports: dict[str, Transport] = {}
    left = max_bytes
    try:
        for each in wanted:
            origin = _origin(each, index)
            if origin not in transports:
                transports[origin] = _transport(origin, index)
            data = transports[origin].read(_location(each, origin), max_bytes=_bound(each, left), deadline=deadline)
            got = hashlib.sha256(data).hexdigest()
            if got != each.sha256:
                raise TrustError(
                    "the index served another file than it announced",
                    step="hash",
                    thing=each.filename,
                    expected=f"sha256 {each.sha256}",
                    got=f"sha256 {got}",
                    next_step="try again later; if it stays so, do not use this index",
                )
            left -= len(data)
            atomic_write(directory / each.filename, data)
    finally:
        for transport in transports.values():
            transport.close()


def require_index(url: str) -> None:
    """The address is one that wheels are fetched from.

    Raises:
        ConfigError: it is not.
    """
    try:
        base = parse_base(url)
    except ValueError as error:
        raise ConfigError(f"the index to fetch from: {error}") from error
    if base.directory is not None:
        raise ConfigError("the index to fetch from: a folder of this machine is given as the closure")


def _bound(each: Download, left: int) -> int:
    if left <= 0:
        raise PublishError(f"{each.filename}: the closure is larger than a closure may be")
    return min(MAX_WHEEL_BYTES, left)


def _download(package: Package, wheel: PackageWheel) -> Download:
    sha256 = wheel.hashes.get("sha256", "")
    try:
        return Download(
            project=normalize_project(package.name),
            filename=wheel.filename,
            url=wheel.url or "",
            sha256=parse_sha256(sha256),
        )
    except ValueError as error:
        raise PublishError(f"{package.name} {package.version}: the index announces no sha256 of its wheel") from error


def _fitting(package: Package, targets: Sequence[RegistryTarget]) -> Iterator[PackageWheel]:
    tags = {tag for target in targets for tag in target.tags}
    for wheel in package.wheels or ():
        try:
            if parse_wheel_filename(wheel.filename)[3] & tags:
                yield wheel
        except InvalidWheelFilename:
            continue


def _origin(each: Download, index: IndexSource) -> str:
    """Scheme and host that the wheel is fetched from."""
    parts = urlsplit(each.url)
    secure = urlsplit(index.url).scheme == "https"
    origin = f"{parts.scheme}://{parts.netloc}/"
    try:
        if parts.scheme not in (("https",) if secure else ("https", "http")):
            raise ValueError(f"{parts.scheme or 'no'} link")
        parse_base(origin)
    except ValueError as error:
        raise _strange(each, str(error)) from error
    if unquote(parts.path.rpartition("/")[2]) != each.filename:
        raise _strange(each, "a link to a file of another name")
    return origin


def _location(each: Download, origin: str) -> Location:
    try:
        return parse_base(origin).locate(Location("index"), each.url)
    except ValueError as error:
        raise _strange(each, str(error)) from error


def _strange(each: Download, problem: str) -> TrustError:
    return TrustError(
        f"the index says that it lies where wheels are not fetched from: {problem}",
        step="index",
        thing=each.filename,
        expected="an https link to the wheel",
        got=each.url[:200],
        next_step="do not use this index",
    )


def _transport(origin: str, index: IndexSource) -> Transport:
    access = Access(proxy=index.proxy, ca_file=index.ca_file) if origin.startswith("https:") else Access()
    return open_transport(parse_base(origin), access)

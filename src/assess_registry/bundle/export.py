"""Chosen plugins of a registry, with their closures and all that vouches for them, into one file.

What is exported was verified as a client verifies it, and the bundle is made of the very bytes that were. It is the
same for the same state of the registry and the same choice.
"""

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from assess_registry.bundle.archive import Carried, write_bundle
from assess_registry.bundle.gather import Origin, gather
from assess_registry.bundle.staging import private_directory
from assess_registry.bundle.whole import WholeRelease
from assess_registry.client import NotPublishedError, Registry, RegistryConfig
from assess_registry.client.choose import is_pin
from assess_registry.client.location import parse_base
from assess_registry.client.standing import Standing, is_revoked, read_standing
from assess_registry.client.transport import Deadline, open_transport
from assess_registry.errors import ConfigError
from assess_registry.files import sync_directory
from assess_registry.names import normalize_project

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """The bundle that was written.

    Attributes:
        sha256: of the file: compare it where the bundle arrives.
        files: how many it carries.
    """

    path: Path
    releases: tuple[WholeRelease, ...]
    sha256: str
    size: int
    files: int


def export_bundle(requirements: Sequence[str], *, registry: RegistryConfig, to: Path) -> Exported:
    """`to` is a bundle of these plugins, verified.

    Args:
        requirements: `NAME` for its highest release that is neither yanked nor a pre-release, or `NAME==VERSION`.
        registry: where from; with `root` and `state`. Its `timeout_s` is for everything together.
        to: a file, which is replaced, or a link, which is not followed; or nothing yet, in a directory that is there.

    Raises:
        ConfigError: a requirement is something else, the registry is trusted by keys alone, or `to` is no place.
        NotPublishedError: there is no such release, or a file of it is missing.
        TransportError: the registry could not be read in time.
        TrustError: the step that failed; nothing was written.
    """
    wanted = [_parse(text) for text in requirements]
    if not wanted:
        raise ConfigError("expected at least one plugin")
    if registry.root is None or registry.state is None:
        raise ConfigError("a bundle carries a registry's signed word: say which root metadata is trusted")
    try:
        base = parse_base(registry.url)
    except ValueError as error:
        raise ConfigError(f"registry url: {error}") from error
    _require_place(to)
    with (
        contextlib.closing(open_transport(base, registry.access)) as transport,
        private_directory(to.parent) as staging,
    ):
        origin = Origin(
            url=registry.url,
            transport=transport,
            root=registry.root,
            memory=registry.state,
            development=registry.development,
            timeout_s=registry.timeout_s,
        )
        gathered = gather(origin, lambda source, deadline: _choose(wanted, source, deadline), into=staging)
        carried = [Carried(project=each.project, version=each.release.version) for each in gathered.releases]
        with _new_file(to) as file:
            write_bundle(file, root=staging, members=gathered.names, carried=carried)
            size = file.tell()
            digest = _digest(file)
    return Exported(path=to, releases=gathered.releases, sha256=digest, size=size, files=len(gathered.names))


def _require_place(to: Path) -> None:
    """A file can be put there; said before minutes of reading, and by the name that was given.

    Raises:
        ConfigError: something else lies there, or there is no directory for it.
        OSError: the name is none.
    """
    try:
        mode = to.stat().st_mode
    except FileNotFoundError as error:
        if not to.parent.is_dir():
            raise ConfigError(f"{to.parent}: there is no directory of this name, to write {to.name} in") from error
        return
    if not stat.S_ISREG(mode):  # a device, above all: root would put a file in its place
        raise ConfigError(f"{to}: expected a file, or nothing; name another place for the bundle")


def _parse(text: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ConfigError(f"{text!r}: expected NAME or NAME==VERSION: {error}") from error
    plain = not (requirement.url or requirement.extras or requirement.marker)
    if not plain or (requirement.specifier and (len(requirement.specifier) > 1 or not is_pin(requirement.specifier))):
        raise ConfigError(f"{text!r}: expected NAME or NAME==VERSION")
    return requirement


def _choose(wanted: Sequence[Requirement], registry: Registry, deadline: Deadline) -> tuple[Carried, ...]:
    chosen = {_release(requirement, registry, deadline) for requirement in wanted}
    return tuple(sorted(chosen))


def _release(requirement: Requirement, registry: Registry, deadline: Deadline) -> Carried:
    try:
        project = normalize_project(requirement.name)
    except ValueError as error:
        raise ConfigError(f"REQUIREMENT: {error}") from error
    standing = read_standing(project, registry.known_word(), deadline, registry=registry)
    versions = {
        Version(release.version): release.version
        for release in standing.catalogue.releases
        if is_pin(requirement.specifier) or not (release.yanked or is_revoked(standing, release))
    }
    matching = list(requirement.specifier.filter(versions))
    if not matching:
        raise NotPublishedError(f"{requirement}: {_there_are(standing)}", url=registry.base.url)
    return Carried(project=project, version=versions[max(matching)])


def _there_are(standing: Standing) -> str:
    listed = [
        release.version + (" (revoked)" if is_revoked(standing, release) else " (yanked)" if release.yanked else "")
        for release in reversed(standing.catalogue.releases)
    ]
    return f"no release to carry; there are: {', '.join(listed[:20]) or 'none'}"


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its place, whole and on disk, when the block ends well."""
    temporary = path.with_name(f".tmp-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb+") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _digest(file: IO[bytes]) -> str:
    state = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK):
        state.update(chunk)
    return state.hexdigest()

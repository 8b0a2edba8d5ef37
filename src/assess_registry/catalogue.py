"""A catalogue page: all releases of one project, as the registry signs them (TUF target `catalog/PROJECT.json`).

A page names every file of a release by name, size and digest, so that whoever controls the web server controls nothing.
A value has one page and a page one value: `parse_catalogue(page.data(), project) == page`.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from assess_registry.canonical import Members, decode, encode, parse_text, require_zone, write_time
from assess_registry.errors import TrustError
from assess_registry.keys import KeyId, parse_key_id
from assess_registry.lock import LOCK_NAME
from assess_registry.manifest import SEVERITIES, Severity
from assess_registry.names import ProjectName, Sha256, parse_id, parse_project, parse_sha256, parse_version
from assess_registry.signatures import SIGNATURE_SUFFIX

SCHEMA = 1
CATALOG_DIRECTORY = "catalog"

METADATA_SUFFIX, VERDICT_SUFFIX = ".metadata", ".verdict.json"
SBOM_NAME, AUDIT_NAME = "sbom.cdx.json", "audit.json"

MAX_CATALOGUE_BYTES = 4 << 20
"""A release of one wheel is about 1.6 kB: room for 2,500 of a project."""

MAX_RELEASES, MAX_WHEELS = 5000, 200
MAX_FILE_BYTES = 512 << 20
MAX_FILENAME = 255
MAX_SPECIFIER = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRef:
    """One file in a release's directory, by what it is.

    Raises:
        ValueError: the name is not that of a file in one directory, the size is not possible, or the digest is none.
    """

    filename: str
    size: int
    sha256: Sha256

    def __post_init__(self) -> None:
        name = self.filename
        # ASCII without white space: no look-alikes, no separators of any system, nothing hidden.
        if not 1 <= len(name) <= MAX_FILENAME or not name.isascii() or not name.isprintable():
            raise ValueError(f"filename: expected 1 to {MAX_FILENAME} printable ASCII characters, got {name[:80]!r}")
        if set(name) & set("/\\:%?#\"'<>|* ") or name[0] in ".-" or name.endswith("."):
            raise ValueError(f"filename: expected a plain name without path parts, got {name[:80]!r}")
        if not 0 < self.size <= MAX_FILE_BYTES:
            raise ValueError(f"size: expected 1 to {MAX_FILE_BYTES} bytes, got {self.size}")
        parse_sha256(self.sha256)

    @classmethod
    def of(cls, filename: str, data: bytes) -> "FileRef":
        """The reference to these bytes under this name."""
        return cls(filename=filename, size=len(data), sha256=Sha256(hashlib.sha256(data).hexdigest()))


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueWheel:
    """One wheel of a release, the files beside it, and who signed it.

    Attributes:
        signature, metadata, verdict: the files beside it; their names follow from its own.
        requires_python: as in its METADATA; empty when it says nothing.
        publisher: the name in `control/publishers.json`.
        signer: the key that made the signature.
    """

    filename: str
    size: int
    sha256: Sha256
    signature: FileRef
    metadata: FileRef
    verdict: FileRef
    requires_python: str = ""
    publisher: str
    signer: KeyId

    def __post_init__(self) -> None:
        FileRef(filename=self.filename, size=self.size, sha256=self.sha256)
        _wheel_name(self.filename)
        beside = ((self.signature, SIGNATURE_SUFFIX), (self.metadata, METADATA_SUFFIX), (self.verdict, VERDICT_SUFFIX))
        for file, suffix in beside:
            _check_name(file, self.filename + suffix)
        if len(self.requires_python) > MAX_SPECIFIER or not self.requires_python.isprintable():
            raise ValueError(f"requires_python: expected at most {MAX_SPECIFIER} printable characters")
        parse_id(self.publisher)
        parse_key_id(self.signer)

    @property
    def file(self) -> FileRef:
        """The wheel itself."""
        return FileRef(filename=self.filename, size=self.size, sha256=self.sha256)


@dataclass(frozen=True, kw_only=True, slots=True)
class Yanked:
    """Nothing new should use the release; who pins exactly this version still gets it (PEP 592)."""

    reason: str
    at: datetime

    def __post_init__(self) -> None:
        parse_text(self.reason)
        require_zone(self.at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Revoked:
    """Nobody gets the release any more."""

    reason: str
    severity: Severity
    at: datetime

    def __post_init__(self) -> None:
        parse_text(self.reason)
        parse_severity(self.severity)
        require_zone(self.at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One version: its wheels, their common closure, what was found in them, and what has become of it.

    Raises:
        ValueError: a file of another project or version, two wheels for one platform, or a file under a wrong name.
    """

    version: str
    wheels: tuple[CatalogueWheel, ...]
    lock: FileRef
    lock_signature: FileRef
    sbom: FileRef | None = None
    audit: FileRef
    published_at: datetime
    yanked: Yanked | None = None
    revoked: Revoked | None = None

    def __post_init__(self) -> None:
        parse_version(self.version)
        require_zone(self.published_at)
        _check_name(self.lock, LOCK_NAME)
        _check_name(self.lock_signature, LOCK_NAME + SIGNATURE_SUFFIX)
        _check_name(self.audit, AUDIT_NAME)
        if self.sbom is not None:
            _check_name(self.sbom, SBOM_NAME)
        if not 1 <= len(self.wheels) <= MAX_WHEELS:
            raise ValueError(f"wheels: expected 1 to {MAX_WHEELS} in release {self.version}, got {len(self.wheels)}")
        _check_unambiguous(self.wheels)
        object.__setattr__(self, "wheels", tuple(sorted(self.wheels, key=lambda wheel: wheel.filename)))

    def files(self) -> tuple[FileRef, ...]:
        """Every file of the release."""
        beside = [
            file for wheel in self.wheels for file in (wheel.file, wheel.signature, wheel.metadata, wheel.verdict)
        ]
        return (*beside, self.lock, self.lock_signature, *((self.sbom,) if self.sbom else ()), self.audit)


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """All releases of a project, oldest version first.

    Raises:
        ValueError: two releases of one version however spelt, or a wheel of another project or version.
    """

    project: ProjectName
    releases: tuple[Release, ...] = ()

    def __post_init__(self) -> None:
        parse_project(self.project)
        if len(self.releases) > MAX_RELEASES:
            raise ValueError(f"releases: expected at most {MAX_RELEASES}, got {len(self.releases)}")
        versions: dict[Version, str] = {}
        for release in self.releases:
            version = Version(release.version)
            if version in versions:
                raise ValueError(f"releases: {release.version} and {versions[version]} are one version (PEP 440)")
            versions[version] = release.version
            for wheel in release.wheels:
                check_belongs(wheel.filename, self.project, release.version)
        object.__setattr__(self, "releases", tuple(sorted(self.releases, key=lambda each: Version(each.version))))

    def release(self, version: str) -> Release | None:
        """The release of this version, however the version is spelt; None if there is none."""
        wanted = Version(version)
        return next((each for each in self.releases if Version(each.version) == wanted), None)

    def with_release(self, release: Release) -> "Catalogue":
        """The page with this release, in place of one of the same version if there was one."""
        others = tuple(each for each in self.releases if Version(each.version) != Version(release.version))
        return replace(self, releases=(*others, release))

    def data(self) -> bytes:
        """The page; the same for the same value.

        Raises:
            ValueError: it is larger than any client reads.
        """
        releases = [_release_table(release) for release in self.releases]
        page = {"schema": SCHEMA, "project": self.project, "releases": releases}
        return encode(page, max_bytes=MAX_CATALOGUE_BYTES)


def catalogue_path(project: ProjectName) -> str:
    """The TUF target path of a project's page."""
    return f"{CATALOG_DIRECTORY}/{project}.json"


def parse_catalogue(data: bytes, project: ProjectName) -> Catalogue:
    """The page in these bytes, which must be this project's and as `Catalogue.data` writes it.

    Raises:
        TrustError: step `catalogue`; it is anything else.
    """
    try:
        return _parse(data, project)
    except ValueError as error:
        raise TrustError(
            f"not a catalogue page: {error}",
            step="catalogue",
            thing=catalogue_path(project),
            next_step="update this program; if it is new enough, ask who runs the registry: the page was signed so",
        ) from error


def parse_severity(text: str) -> Severity:
    """One of the severities.

    Raises:
        ValueError: it is none.
    """
    found = next((severity for severity in SEVERITIES if severity == text), None)
    if found is None:
        raise ValueError(f"expected one of {', '.join(SEVERITIES)}, got {text[:80]!r}")
    return found


def _parse(data: bytes, project: ProjectName) -> Catalogue:
    value = decode(data, max_bytes=MAX_CATALOGUE_BYTES)
    page = Members.of(value, "catalogue", required=("schema", "project", "releases"))
    page.exactly("schema", SCHEMA)
    page.exactly("project", str(project))
    releases = tuple(_release(*item) for item in page.items("releases", max_items=MAX_RELEASES))
    catalogue = Catalogue(project=project, releases=releases)
    if catalogue.data() != data:
        raise ValueError("releases or wheels are not in their order")
    return catalogue


_RELEASE_KEYS = ("version", "wheels", "lock", "lock_signature", "audit", "published_at")
_WHEEL_KEYS = ("filename", "size", "sha256", "signature", "metadata", "verdict", "publisher", "signer")


def _release(value: object, path: str) -> Release:
    table = Members.of(value, path, required=_RELEASE_KEYS, optional=("sbom", "yanked", "revoked"))
    return Release(
        version=table.parsed("version", str),
        wheels=tuple(_wheel(*item) for item in table.items("wheels", max_items=MAX_WHEELS)),
        lock=_file(table, "lock"),
        lock_signature=_file(table, "lock_signature"),
        sbom=_file(table, "sbom") if "sbom" in table.values else None,
        audit=_file(table, "audit"),
        published_at=table.time("published_at"),
        yanked=_yanked(table) if "yanked" in table.values else None,
        revoked=_revoked(table) if "revoked" in table.values else None,
    )


def _wheel(value: object, path: str) -> CatalogueWheel:
    table = Members.of(value, path, required=_WHEEL_KEYS, optional=("requires_python",))
    return CatalogueWheel(
        filename=table.parsed("filename", str),
        size=table.integer("size", low=1, high=MAX_FILE_BYTES),
        sha256=table.parsed("sha256", parse_sha256),
        signature=_file(table, "signature"),
        metadata=_file(table, "metadata"),
        verdict=_file(table, "verdict"),
        requires_python=table.text("requires_python") if "requires_python" in table.values else "",
        publisher=table.parsed("publisher", parse_id),
        signer=table.parsed("signer", parse_key_id),
    )


def _file(parent: Members, key: str) -> FileRef:
    table = Members.of(parent.values[key], parent.at(key), required=("filename", "size", "sha256"))
    return FileRef(
        filename=table.parsed("filename", str),
        size=table.integer("size", low=1, high=MAX_FILE_BYTES),
        sha256=table.parsed("sha256", parse_sha256),
    )


def _yanked(parent: Members) -> Yanked:
    table = Members.of(parent.values["yanked"], parent.at("yanked"), required=("reason", "at"))
    return Yanked(reason=table.text("reason"), at=table.time("at"))


def _revoked(parent: Members) -> Revoked:
    table = Members.of(parent.values["revoked"], parent.at("revoked"), required=("reason", "severity", "at"))
    return Revoked(reason=table.text("reason"), severity=table.parsed("severity", parse_severity), at=table.time("at"))


def _release_table(release: Release) -> dict[str, Any]:
    table: dict[str, Any] = {
        "version": release.version,
        "wheels": [_wheel_table(wheel) for wheel in release.wheels],
        "lock": _file_table(release.lock),
        "lock_signature": _file_table(release.lock_signature),
        "audit": _file_table(release.audit),
        "published_at": write_time(release.published_at),
    }
    if release.sbom:
        table["sbom"] = _file_table(release.sbom)
    if release.yanked:
        table["yanked"] = {"reason": release.yanked.reason, "at": write_time(release.yanked.at)}
    if release.revoked:
        revoked = release.revoked
        table["revoked"] = {"reason": revoked.reason, "severity": revoked.severity, "at": write_time(revoked.at)}
    return table


def _wheel_table(wheel: CatalogueWheel) -> dict[str, Any]:
    return {
        **_file_table(wheel.file),
        "signature": _file_table(wheel.signature),
        "metadata": _file_table(wheel.metadata),
        "verdict": _file_table(wheel.verdict),
        **({"requires_python": wheel.requires_python} if wheel.requires_python else {}),
        "publisher": wheel.publisher,
        "signer": wheel.signer,
    }


def _file_table(file: FileRef) -> dict[str, Any]:
    return {"filename": file.filename, "size": file.size, "sha256": file.sha256}


def _check_name(file: FileRef, expected: str) -> None:
    if file.filename != expected:
        raise ValueError(f"filename: expected {expected!r}, got {file.filename!r}")


@lru_cache(maxsize=256)
def _wheel_name(filename: str) -> tuple[str, Version, frozenset[str]]:
    # Three long tag sets multiply to any number of tags.
    if filename.count(".") > 40:
        raise ValueError(f"filename: more compressed tags than any wheel has: {filename[:80]!r}")
    try:
        project, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise ValueError(f"filename: {error}") from error
    return project, version, frozenset(str(tag) for tag in tags)


def check_belongs(filename: str, project: ProjectName, version: str) -> None:
    """It is the name of a wheel of this project and version.

    Raises:
        ValueError: it is not.
    """
    found = _wheel_name(filename)
    if found[0] != project or str(found[1]) != version:
        raise ValueError(f"filename: {filename!r} is not a wheel of {project} {version}")


def _check_unambiguous(wheels: tuple[CatalogueWheel, ...]) -> None:
    """No tag has two wheels: a later one with a build tag would otherwise take an audited one's place."""
    owners: dict[str, str] = {}
    for wheel in wheels:
        for tag in _wheel_name(wheel.filename)[2]:
            if tag in owners:
                raise ValueError(f"wheels: {wheel.filename} and {owners[tag]} are both for {tag}")
            owners[tag] = wheel.filename

"""One version of a project: its wheels, what lies beside them, and what has become of it."""

from dataclasses import dataclass
from datetime import datetime

from assess_registry.canonical import parse_text, require_zone
from assess_registry.catalogue.file_ref import FileRef
from assess_registry.catalogue.revocation_severity import RevocationSeverity, parse_revocation_severity
from assess_registry.catalogue.wheel_names import check_unambiguous, parse_wheel_name
from assess_registry.keys import KeyId, parse_key_id
from assess_registry.lock import LOCK_NAME
from assess_registry.names import Sha256, parse_id, parse_version
from assess_registry.signatures import SIGNATURE_SUFFIX

METADATA_SUFFIX, VERDICT_SUFFIX = ".metadata", ".verdict.json"
SBOM_NAME, AUDIT_NAME, ATTESTATION_NAME = "sbom.cdx.json", "audit.json", "audit.dsse.json"

MAX_WHEELS = 200
MAX_SPECIFIER = 200


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
        parse_wheel_name(self.filename)
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
    severity: RevocationSeverity
    at: datetime

    def __post_init__(self) -> None:
        parse_text(self.reason)
        parse_revocation_severity(self.severity)
        require_zone(self.at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One version: its wheels, their common closure, what was found in them, and what has become of it.

    Attributes:
        attestation: the audit's own signature over what it was given and what it found.

    Raises:
        ValueError: a file of another project or version, two wheels for one platform, or a file under a wrong name.
    """

    version: str
    wheels: tuple[CatalogueWheel, ...]
    lock: FileRef
    lock_signature: FileRef
    sbom: FileRef | None = None
    audit: FileRef
    attestation: FileRef | None = None
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
        if self.attestation is not None:
            _check_name(self.attestation, ATTESTATION_NAME)
        if not 1 <= len(self.wheels) <= MAX_WHEELS:
            raise ValueError(f"wheels: expected 1 to {MAX_WHEELS} in release {self.version}, got {len(self.wheels)}")
        check_unambiguous(wheel.filename for wheel in self.wheels)
        object.__setattr__(self, "wheels", tuple(sorted(self.wheels, key=lambda wheel: wheel.filename)))

    def files(self) -> tuple[FileRef, ...]:
        """Every file of the release."""
        beside = [
            file for wheel in self.wheels for file in (wheel.file, wheel.signature, wheel.metadata, wheel.verdict)
        ]
        found = (self.sbom, self.audit, self.attestation)
        return (*beside, self.lock, self.lock_signature, *(file for file in found if file is not None))


def _check_name(file: FileRef, expected: str) -> None:
    if file.filename != expected:
        raise ValueError(f"filename: expected {expected!r}, got {file.filename!r}")

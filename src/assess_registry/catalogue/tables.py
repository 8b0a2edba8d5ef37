"""A release as a JSON object, read and written.

What a release may be is decided by the values themselves; here is only which member holds what.
"""

from typing import Any

from assess_registry.canonical import Members, write_time
from assess_registry.catalogue.file_ref import MAX_FILE_BYTES, FileRef
from assess_registry.catalogue.release import MAX_WHEELS, CatalogueWheel, Release, Revoked, Yanked
from assess_registry.catalogue.revocation_severity import parse_revocation_severity
from assess_registry.keys import parse_key_id
from assess_registry.names import parse_id, parse_sha256

_RELEASE_KEYS = ("version", "wheels", "lock", "lock_signature", "audit", "published_at")
_WHEEL_KEYS = ("filename", "size", "sha256", "signature", "metadata", "verdict", "publisher", "signer")


def read_release(value: object, path: str) -> Release:
    """The release in this object, which stands at `path`.

    Raises:
        ValueError: it is none.
    """
    table = Members.of(value, path, required=_RELEASE_KEYS, optional=("sbom", "attestation", "yanked", "revoked"))
    return Release(
        version=table.parsed("version", str),
        wheels=tuple(_wheel(*item) for item in table.items("wheels", max_items=MAX_WHEELS)),
        lock=_file(table, "lock"),
        lock_signature=_file(table, "lock_signature"),
        sbom=_file(table, "sbom") if "sbom" in table.values else None,
        audit=_file(table, "audit"),
        attestation=_file(table, "attestation") if "attestation" in table.values else None,
        published_at=table.time("published_at"),
        yanked=_yanked(table) if "yanked" in table.values else None,
        revoked=_revoked(table) if "revoked" in table.values else None,
    )


def release_table(release: Release) -> dict[str, Any]:
    """The object that `read_release` reads."""
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
    if release.attestation:
        table["attestation"] = _file_table(release.attestation)
    if release.yanked:
        table["yanked"] = {"reason": release.yanked.reason, "at": write_time(release.yanked.at)}
    if release.revoked:
        revoked = release.revoked
        table["revoked"] = {"reason": revoked.reason, "severity": revoked.severity, "at": write_time(revoked.at)}
    return table


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
    return Revoked(
        reason=table.text("reason"),
        severity=table.parsed("severity", parse_revocation_severity),
        at=table.time("at"),
    )


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

"""Which bytes nobody gets any more, by their digests: the value of `control/revocations.json`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from assess_registry.canonical import Members, decode, encode, parse_text, require_zone, write_time
from assess_registry.catalogue import RevocationSeverity, outranks, parse_revocation_severity
from assess_registry.control.file import MAX_CONTROL_BYTES, SCHEMA, unreadable
from assess_registry.names import ProjectName, Sha256, parse_project, parse_sha256, parse_version

REVOCATIONS_PATH = "control/revocations.json"

MAX_REVOKED = 20_000
"""More than the file has room for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RevokedWheel:
    """Bytes that nobody gets any more, by their digest."""

    project: ProjectName
    version: str
    sha256: Sha256
    reason: str
    severity: RevocationSeverity
    at: datetime

    def __post_init__(self) -> None:
        parse_project(self.project)
        parse_version(self.version)
        parse_sha256(self.sha256)
        parse_text(self.reason)
        parse_revocation_severity(self.severity)
        require_zone(self.at)

    def may_become(self, later: "RevokedWheel | None") -> bool:
        """Whether this may be said of it later: the same, or that it is to be ended where it runs."""
        if later is None or later == self:
            return later is not None
        same = (later.project, later.version, later.sha256) == (self.project, self.version, self.sha256)
        return same and outranks(later.severity, self.severity)


@dataclass(frozen=True, kw_only=True, slots=True)
class Revocations:
    """All revoked wheels, each once, in the order of their digests.

    Raises:
        ValueError: one digest stands in it twice.
    """

    wheels: tuple[RevokedWheel, ...] = ()

    def __post_init__(self) -> None:
        if len({wheel.sha256 for wheel in self.wheels}) != len(self.wheels):
            raise ValueError("wheels: a digest is revoked twice")
        object.__setattr__(self, "wheels", tuple(sorted(self.wheels, key=lambda wheel: wheel.sha256)))

    def of(self, sha256: str) -> RevokedWheel | None:
        """The revocation of the wheel with this digest; None if it is not revoked."""
        return next((wheel for wheel in self.wheels if wheel.sha256 == sha256), None)

    def plus(self, wheels: Iterable[RevokedWheel]) -> "Revocations":
        """These as well. What is revoked stays as it was revoked first, but for `kill`, which outranks that."""
        known = {wheel.sha256: wheel for wheel in self.wheels}
        for wheel in wheels:
            before = known.setdefault(wheel.sha256, wheel)
            if before.may_become(wheel):
                known[wheel.sha256] = wheel
        return replace(self, wheels=tuple(known.values()))

    def data(self) -> bytes:
        """The control file; the same for the same value."""
        wheels = [
            {
                "project": wheel.project,
                "version": wheel.version,
                "sha256": wheel.sha256,
                "reason": wheel.reason,
                "severity": wheel.severity,
                "at": write_time(wheel.at),
            }
            for wheel in self.wheels
        ]
        return encode({"schema": SCHEMA, "wheels": wheels}, max_bytes=MAX_CONTROL_BYTES)


def parse_revocations(data: bytes) -> Revocations:
    """The value of a `control/revocations.json`.

    Raises:
        TrustError: step `control`; it is anything else.
    """
    try:
        return _revocations(data)
    except ValueError as error:
        raise unreadable(REVOCATIONS_PATH, error) from error


def _revocations(data: bytes) -> Revocations:
    page = Members.of(decode(data, max_bytes=MAX_CONTROL_BYTES), "control", required=("schema", "wheels"))
    page.exactly("schema", SCHEMA)
    revocations = Revocations(wheels=tuple(_revoked(*item) for item in page.items("wheels", max_items=MAX_REVOKED)))
    if revocations.data() != data:
        raise ValueError("wheels are not in their order")
    return revocations


def _revoked(value: object, path: str) -> RevokedWheel:
    table = Members.of(value, path, required=("project", "version", "sha256", "reason", "severity", "at"))
    return RevokedWheel(
        project=table.parsed("project", parse_project),
        version=table.parsed("version", str),
        sha256=table.parsed("sha256", parse_sha256),
        reason=table.text("reason"),
        severity=table.parsed("severity", parse_revocation_severity),
        at=table.time("at"),
    )

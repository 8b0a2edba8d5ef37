"""What has become of a project as a whole (PEP 792): archived, deprecated, or quarantined until somebody knows more."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assess_registry.canonical import Members, parse_text, require_zone, write_time

Marker = Literal["archived", "deprecated", "quarantined"]
MARKERS: tuple[Marker, ...] = ("archived", "deprecated", "quarantined")
"""Of a project that is not simply active."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectStatus:
    """A project that is not simply active; as nothing is for ever here, unlike a revocation, it can be taken back.

    Raises:
        ValueError: no such marker, a reason that is no line of text, a time without a zone.
    """

    marker: Marker
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        parse_marker(self.marker)
        parse_text(self.reason)
        require_zone(self.at)

    @property
    def is_quarantined(self) -> bool:
        """Whether nobody gets anything of it."""
        return self.marker == "quarantined"

    @property
    def takes_releases(self) -> bool:
        """Whether anything new may be published under its name."""
        return self.marker == "deprecated"


def parse_marker(text: str) -> Marker:
    """One of the markers.

    Raises:
        ValueError: it is none.
    """
    found = next((marker for marker in MARKERS if marker == text), None)
    if found is None:
        raise ValueError(f"expected one of {', '.join(MARKERS)}, got {text[:80]!r}")
    return found


def read_status(parent: Members) -> ProjectStatus:
    """The status in the member `status`.

    Raises:
        ValueError: it is none.
    """
    table = Members.of(parent.values["status"], parent.at("status"), required=("marker", "reason", "at"))
    return ProjectStatus(marker=table.parsed("marker", parse_marker), reason=table.text("reason"), at=table.time("at"))


def status_table(status: ProjectStatus) -> dict[str, Any]:
    """The object that `read_status` reads."""
    return {"marker": status.marker, "reason": status.reason, "at": write_time(status.at)}

"""What is known of a vulnerability, once its document has been read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assess_registry.manifest import Severity
from assess_registry.names import ProjectName


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Where a vulnerability begins and ends: `(kind, version)` events as the document has them.

    Attributes:
        type: `ECOSYSTEM` is the only one that can be compared with versions of a wheel (OSV schema, affected[].ranges).
    """

    type: str
    events: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Affected:
    """One statement about versions of a project: those listed, and those in any of the ranges."""

    versions: tuple[str, ...]
    ranges: tuple[Range, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What one advisory says of one project.

    Attributes:
        modified: RFC 3339, as the document has it.
    """

    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: Severity
    modified: str
    affected: tuple[Affected, ...]

    def document(self) -> Mapping[str, Any]:
        """The JSON object that `record_of` reads back as this value."""
        return {
            "affected": [
                {
                    "ranges": [
                        {"events": [list(event) for event in span.events], "type": span.type} for span in it.ranges
                    ],
                    "versions": list(it.versions),
                }
                for it in self.affected
            ],
            "aliases": list(self.aliases),
            "id": self.id,
            "modified": self.modified,
            "severity": self.severity,
            "summary": self.summary,
        }


def record_of(document: Mapping[str, Any]) -> Record:
    """The record of a document we wrote ourselves.

    Raises:
        KeyError, TypeError, ValueError: somebody else did.
    """
    return Record(
        id=document["id"],
        aliases=tuple(document["aliases"]),
        summary=document["summary"],
        severity=document["severity"],
        modified=document["modified"],
        affected=tuple(
            Affected(
                versions=tuple(it["versions"]),
                ranges=tuple(
                    Range(type=span["type"], events=tuple((kind, version) for kind, version in span["events"]))
                    for span in it["ranges"]
                ),
            )
            for it in document["affected"]
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Advisory:
    """A vulnerability that a version of a project has, or that cannot be ruled out.

    Attributes:
        id: of the document; the first in order when several documents describe one vulnerability.
        aliases: every other name of it, sorted.
        fixed_in: versions above the one asked for in which it is repaired, lowest first; may be empty.
        uncertain: why it cannot be decided whether the version is affected; empty when it is affected.
    """

    id: str
    aliases: tuple[str, ...]
    project: ProjectName
    summary: str
    severity: Severity
    fixed_in: tuple[str, ...]
    uncertain: str = ""

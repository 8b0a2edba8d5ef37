"""Advisories in one file that answers for a project without being read whole.

    line 1   what it is: count, newest advisory, digest of the export, day of the import
    line 2   project -> place, length and digest of its line
    line 3…  one line a project, in the order of names

The same export imported on the same day gives the same bytes. An age is that of the newest advisory in the export,
never of the import: an old export imported today knows nothing of last month.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from packaging.version import Version

from assess_registry.audit.advisories.export import read_export
from assess_registry.audit.advisories.osv import ECOSYSTEM, Document, parse_document
from assess_registry.audit.advisories.ranges import decide, fixed_versions
from assess_registry.audit.advisories.values import Advisory, Record, record_of
from assess_registry.errors import ConfigError
from assess_registry.files import atomic_write
from assess_registry.manifest import SEVERITIES
from assess_registry.names import ProjectName, Sha256

DATABASE_NAME = "advisories.jsonl"
FORMAT = 1

MIN_ADVISORIES = 1_000
"""Fewer are no export of all of PyPI, which had 20,000 in 2026; what they do not know proves nothing."""

_MAX_HEADER_BYTES = 4 << 10
_MAX_INDEX_BYTES = 64 << 20
_MAX_PROBLEMS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class AdvisoryDatabase:
    """The advisories imported into `path`.

    Attributes:
        count: documents that may match: those about projects of PyPI, not withdrawn.
        withdrawn: documents about projects of PyPI that had been taken back on the day of the import; they never match.
        newest: when the newest of those documents was last modified, withdrawn ones included (UTC).
        source_sha256: digest of the export's file.
        imported_on: the day the importer gave.
        places: project -> offset, length and SHA-256 of its line.
    """

    path: Path
    count: int
    withdrawn: int
    newest: datetime
    source_sha256: Sha256
    imported_on: date
    places: Mapping[str, Sequence[Any]]

    @classmethod
    def load(cls, path: Path) -> "AdvisoryDatabase":
        """The database at `path`; its head is read, the advisories themselves when they are asked for.

        Raises:
            ConfigError: there is none, it is cut short, or it is something else.
        """
        try:
            with path.open("rb") as file:
                head = json.loads(file.readline(_MAX_HEADER_BYTES))
                if not isinstance(head, dict) or head.get("assess-advisories") != FORMAT:
                    raise ConfigError(f"{path}: not an advisory database of format {FORMAT}; {_AGAIN}")
                index = file.readline(_MAX_INDEX_BYTES)
                start = file.tell()
                size = file.seek(0, 2)
            if hashlib.sha256(index).hexdigest() != head["index_sha256"] or size - start != head["body_bytes"]:
                raise ConfigError(f"{path}: it is cut short or was changed; {_AGAIN}")
            places = {name: (start + at, length, digest) for name, (at, length, digest) in json.loads(index).items()}
            return cls(
                path=path,
                count=head["count"],
                withdrawn=head["withdrawn"],
                newest=datetime.fromisoformat(head["newest"]),
                source_sha256=Sha256(head["source_sha256"]),
                imported_on=date.fromisoformat(head["imported_on"]),
                places=places,
            )
        except FileNotFoundError as error:
            raise ConfigError(f"{path}: no advisories; {_AGAIN}") from error
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(f"{path}: not an advisory database; {_AGAIN}") from error

    def match(self, project: ProjectName, version: str) -> tuple[Advisory, ...]:
        """The vulnerabilities of this version, and those that cannot be ruled out; one each, by id.

        Documents that share an id or alias are one vulnerability: the worst severity and every fix are kept.

        Raises:
            ConfigError: the file is not the one that was loaded any more.
        """
        found: list[Advisory] = []
        for record in self._records(project):
            decision = decide(version, record.affected)
            if decision.affected or decision.uncertain:
                found.append(
                    Advisory(
                        id=record.id,
                        aliases=record.aliases,
                        project=project,
                        summary=record.summary,
                        severity=record.severity,
                        fixed_in=fixed_versions(version, record.affected),
                        uncertain=decision.uncertain,
                    )
                )
        return tuple(sorted((_merged(group) for group in _groups(found)), key=lambda advisory: advisory.id))

    def age_days(self, as_of: date) -> int:
        """Days from the newest advisory of the export to `as_of`; the day of the import does not make it younger."""
        return (as_of - self.newest.date()).days

    def describe(self) -> str:
        """For reports: `sha256:… of N advisories about M projects of PyPI, newest 2026-11-20`."""
        return f"sha256:{self.source_sha256} of {self.coverage()}, newest {self.newest.date().isoformat()}"

    def coverage(self) -> str:
        """How much it knows: `20,123 advisories about 9,876 projects of PyPI`."""
        advisories = "advisory" if self.count == 1 else "advisories"
        projects = "project" if len(self.places) == 1 else "projects"
        return f"{self.count:,} {advisories} about {len(self.places):,} {projects} of {ECOSYSTEM}"

    def is_whole(self) -> bool:
        """Whether it may be an export of everything, as far as its size can tell."""
        return self.count >= MIN_ADVISORIES

    def _records(self, project: ProjectName) -> tuple[Record, ...]:
        if project not in self.places:
            return ()
        at, length, digest = self.places[project]
        try:
            with self.path.open("rb") as file:
                file.seek(at)
                line = file.read(length)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read: {error.strerror}") from error
        # A new import replaces the file under a running audit; half of one and half of the other would be neither.
        if hashlib.sha256(line).hexdigest() != digest:
            raise ConfigError(f"{self.path}: it was changed since it was opened; audit again")
        return tuple(record_of(document) for document in json.loads(line)["advisories"])


_AGAIN = "import an export with: assess-registry advisories import FILE"


def import_advisories(source: Path, destination: Path, *, imported_on: date) -> AdvisoryDatabase:
    """`destination` holds the advisories of the OSV export `source`, and nothing of what it held before.

    Raises:
        ConfigError: the export is refused; `destination` is unchanged. The message names each document, up to 20.
    """
    export = read_export(source)
    # Those of other ecosystems are checked like the others, and dropped: fresh news of npm makes nothing here younger.
    documents = [document for document in _parsed(export.documents(), imported_on) if document.concerns_us]
    if not documents:
        raise ConfigError(f"{source}: it holds no advisories about {ECOSYSTEM}, and would make every wheel look clean")
    newest = max(document.modified for document in documents)
    if newest.date() > imported_on + timedelta(days=1):
        raise ConfigError(
            f"{source}: its newest advisory is of {newest.date()}, after the day of the import, {imported_on}: "
            "one of the two clocks is wrong, and the database would never seem old"
        )
    atomic_write(destination, _canonical(documents, newest, export.sha256, imported_on))
    return AdvisoryDatabase.load(destination)


def _parsed(labelled: Iterable[tuple[str, Any]], on: date) -> list[Document]:
    documents: dict[str, Document] = {}
    problems: list[str] = []
    for label, value in labelled:
        try:
            document = parse_document(value, label=label, on=on)
        except ConfigError as error:
            problems += error.problems
            if len(problems) >= _MAX_PROBLEMS:
                break
            continue
        if document.id in documents:
            problems.append(f"{label}: id: {document.id!r} is the id of another document, too")
        documents[document.id] = document
    if problems:
        raise ConfigError(*problems[:_MAX_PROBLEMS])
    return list(documents.values())


def _canonical(documents: Sequence[Document], newest: datetime, source: Sha256, imported_on: date) -> bytes:
    by_project: dict[ProjectName, list[Record]] = {}
    for document in documents:
        for project, record in document.records:
            by_project.setdefault(project, []).append(record)
    body = bytearray()
    places: dict[str, tuple[int, int, str]] = {}
    for project in sorted(by_project):
        records = sorted(by_project[project], key=lambda record: record.id)
        line = _line({"advisories": [record.document() for record in records], "project": project})
        places[project] = (len(body), len(line), hashlib.sha256(line).hexdigest())
        body += line
    index = _line(places)
    head = {
        "assess-advisories": FORMAT,
        "body_bytes": len(body),
        "count": sum(bool(document.records) for document in documents),
        "imported_on": imported_on.isoformat(),
        "index_sha256": hashlib.sha256(index).hexdigest(),
        "newest": newest.astimezone(UTC).isoformat(),
        "source_sha256": source,
        "withdrawn": sum(document.withdrawn for document in documents),
    }
    return _line(head) + index + bytes(body)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _groups(found: Sequence[Advisory]) -> list[list[Advisory]]:
    """Those that share a name, directly or through a third, together."""
    groups: list[tuple[set[str], list[Advisory]]] = []
    for advisory in found:
        names, members = {advisory.id, *advisory.aliases}, [advisory]
        apart: list[tuple[set[str], list[Advisory]]] = []
        for other_names, others in groups:
            if names & other_names:
                names, members = names | other_names, others + members
            else:
                apart.append((other_names, others))
        groups = [*apart, (names, members)]
    return [members for _, members in groups]


def _merged(group: Sequence[Advisory]) -> Advisory:
    certain = [advisory for advisory in group if not advisory.uncertain] or list(group)
    first = min(certain, key=lambda advisory: advisory.id)
    names = {name for advisory in group for name in (advisory.id, *advisory.aliases)} - {first.id}
    fixes = dict.fromkeys(fix for advisory in certain for fix in advisory.fixed_in)
    return replace(
        first,
        aliases=tuple(sorted(names)),
        severity=max((advisory.severity for advisory in group), key=SEVERITIES.index),
        fixed_in=tuple(fixes) if len(certain) == 1 else _in_order(fixes),
    )


def _in_order(versions: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(versions, key=Version))

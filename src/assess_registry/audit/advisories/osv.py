"""One OSV document, read strictly: what it says of projects on PyPI.

OSV schema 1.7, https://ossf.github.io/osv-schema/. A document that lacks what the schema demands is refused with its
key path; one that is well formed but cannot be compared with versions is kept, and answered with "cannot tell".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NoReturn

from assess_registry.audit.advisories.severity import severity_of
from assess_registry.audit.advisories.values import Affected, Range, Record
from assess_registry.errors import ConfigError
from assess_registry.names import ProjectName, normalize_project

ECOSYSTEM = "PyPI"
MAX_ID = 128
MAX_SUMMARY = 500
MAX_ALIASES = 200
MAX_AFFECTED = 2_000
MAX_VERSIONS = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A document and the records that follow from it, one for each project; none when it was withdrawn.

    Attributes:
        concerns_us: whether it is about any project of PyPI, withdrawn or not.
    """

    id: str
    modified: datetime
    concerns_us: bool
    withdrawn: bool
    records: tuple[tuple[ProjectName, Record], ...]


def parse_document(value: Any, *, label: str, on: date) -> Document:
    """The document; `label` names it in messages.

    Args:
        value: its JSON.
        label: what to call it.
        on: the day it is read. Who is to withdraw it later has not done so yet.

    Raises:
        ConfigError: it is not an OSV document; the message has the key path.
    """
    it = _Reader(value, label)
    advisory_id = it.text("id", max_chars=MAX_ID)
    modified = it.time("modified")
    aliases = tuple(sorted(set(it.texts("aliases", MAX_ALIASES)) - {advisory_id}))
    summary = it.optional_text("summary") or it.optional_text("details").strip().partition("\n")[0]
    statements: dict[ProjectName, list[Affected]] = {}
    vectors, words = _said(it)
    concerns_us = False
    for part in it.objects("affected", MAX_AFFECTED):
        package = part.optional_object("package")
        # "PyPI:suffix" is reserved by the schema for a part of an ecosystem; it would still be about the same names.
        if package is None or package.text("ecosystem").partition(":")[0] != ECOSYSTEM:
            continue
        concerns_us = True
        own_vectors, own_words = _said(part)
        vectors, words = vectors + own_vectors, words + own_words
        project = _project(package.text("name", max_chars=1_000))
        if project is not None:
            statements.setdefault(project, []).append(_affected(part))
    severity = severity_of(advisory_id, vectors=vectors, words=words)
    withdrawn = it.value.get("withdrawn") is not None and it.time("withdrawn").date() <= on
    return Document(
        id=advisory_id,
        modified=modified,
        concerns_us=concerns_us,
        withdrawn=withdrawn,
        records=()
        if withdrawn
        else tuple(
            (
                project,
                Record(
                    id=advisory_id,
                    aliases=aliases,
                    summary=summary[:MAX_SUMMARY],
                    severity=severity,
                    modified=modified.isoformat(),
                    affected=tuple(said),
                ),
            )
            for project, said in statements.items()
        ),
    )


def _affected(part: "_Reader") -> Affected:
    return Affected(
        versions=tuple(part.texts("versions", MAX_VERSIONS)),
        ranges=tuple(
            Range(
                type=span.text("type"),
                events=tuple(
                    (kind, event.text(kind)) for event in span.objects("events", MAX_VERSIONS) for kind in event.value
                ),
            )
            for span in part.objects("ranges", MAX_AFFECTED)
        ),
    )


def _said(part: "_Reader") -> tuple[list[str], list[str]]:
    """CVSS vectors and words of severity in this part of the document."""
    vectors = [entry.text("score") for entry in part.objects("severity", 20)]
    words = [
        word
        for name in ("database_specific", "ecosystem_specific")
        if (inner := part.optional_object(name)) is not None
        if isinstance(word := inner.value.get("severity"), str)
    ]
    return vectors, words


def _project(name: str) -> ProjectName | None:
    """None for what cannot be a project here: then no wheel of it can be inspected, and nobody can ask."""
    try:
        return normalize_project(name)
    except ValueError:
        return None


class _Reader:
    """An object of the document that knows its key path."""

    def __init__(self, value: Any, path: str) -> None:
        self._path = path
        if not isinstance(value, dict):
            self._fail("", "an object", value)
        self.value: Mapping[str, Any] = value

    def text(self, key: str, *, max_chars: int = 200) -> str:
        value = self.value.get(key)
        if not isinstance(value, str) or not value or len(value) > max_chars:
            self._fail(key, f"a text of 1 to {max_chars} characters", value)
        return value

    def optional_text(self, key: str) -> str:
        value = self.value.get(key)
        if value is not None and not isinstance(value, str):
            self._fail(key, "a text", value)
        return value or ""

    def texts(self, key: str, most: int) -> list[str]:
        values = self._list(key, most)
        for place, value in enumerate(values):
            if not isinstance(value, str) or len(value) > 200:
                self._fail(f"{key}[{place}]", "a text of at most 200 characters", value)
        return values

    def time(self, key: str) -> datetime:
        text = self.text(key, max_chars=40)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self._fail(key, "a time as in RFC 3339", text)
        if moment.tzinfo is None:
            self._fail(key, "a time with its offset from UTC", text)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self._fail(key, "a time between the years 1 and 9999", text)

    def objects(self, key: str, most: int) -> list["_Reader"]:
        return [_Reader(value, f"{self._path}: {key}[{place}]") for place, value in enumerate(self._list(key, most))]

    def optional_object(self, key: str) -> "_Reader | None":
        value = self.value.get(key)
        return None if value is None else _Reader(value, f"{self._path}: {key}")

    def _list(self, key: str, most: int) -> list[Any]:
        value = self.value.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > most:
            self._fail(key, f"a list of at most {most}", value)
        return value

    def _fail(self, key: str, expected: str, got: Any) -> NoReturn:
        where = f"{self._path}: {key}" if key else self._path
        raise ConfigError(f"{where}: expected {expected}, got {'nothing' if got is None else repr(got)[:80]}")

"""Values as they are written into the journal, and read from it again: JSON in UTF-8, with surrogates let through.

What a plugin wrote comes back as it was, even where it has no valid encoding. Cleaning is the business of whoever shows
it. What is written once is never written anew: documents of older releases are read as they are.
"""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from assess_core.clock import timestamp
from assess_core.errors import JournalDamagedError
from assess_core.journal.database import MENDING
from assess_core.results import AssessmentRun, EvidenceRef, Narrowed, PluginRef, Result, ResultOutcome, WaiverRef
from assess_plugin.models import Subject

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)

_RUN_TIMES = ("due_at", "started_at", "ended_at")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_FIRST_US = (datetime(1900, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST_US = (datetime(9000, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
"""A schedule looks some years ahead, and `datetime` ends with the year 9999."""


def run_document(run: AssessmentRun) -> dict[str, Any]:
    """The run as it is written."""
    document = _fields(run)
    document |= {name: _time(document[name]) for name in _RUN_TIMES}
    document["plugin"] = _fields(run.plugin) if run.plugin else None
    document["narrowed"] = _fields(run.narrowed) if run.narrowed else None
    return document


def says_narrowed(run: AssessmentRun) -> bytes:
    """What stands in the document of every run that was narrowed as this one was, and of no other.

    `runs.narrowed` looks for the beginning of it. No text has it: there a backslash stands before each quote.
    """
    return encode({"narrowed": run_document(run)["narrowed"]})[1:-1]


def parse_run(document: dict[str, Any]) -> AssessmentRun:
    """The run that was written so."""
    document |= {name: datetime.fromisoformat(document[name]) for name in _RUN_TIMES}
    document["plugin"] = PluginRef(**document["plugin"]) if document["plugin"] else None
    narrowed = document.get("narrowed")  # an older release did not say
    document["narrowed"] = Narrowed(**{name: tuple(narrowed[name]) for name in narrowed}) if narrowed else None
    return AssessmentRun(**document)


def result_document(result: Result) -> dict[str, Any]:
    """The result as it is written."""
    document = _fields(result)
    document["plugin"] = _fields(result.plugin)
    document["subject"] = _fields(result.subject)
    document["evidence"] = [_evidence_document(item) for item in result.evidence]
    document["started_at"] = _time(result.started_at)
    document["waiver"] = _waiver_document(result.waiver) if result.waiver else None
    return document


def _evidence_document(item: EvidenceRef) -> dict[str, Any]:
    """Without `kept`, which says how it is now and not what was found."""
    return {name: value for name, value in _fields(item).items() if name != "kept"}


def _waiver_document(waiver: WaiverRef) -> dict[str, Any]:
    return _fields(waiver) | {"expires": waiver.expires.isoformat()}


def _parse_waiver(document: dict[str, Any]) -> WaiverRef:
    return WaiverRef(**document | {"expires": date.fromisoformat(document["expires"])})


def parse_result(document: dict[str, Any]) -> Result:
    """The result that was written so; what an older release did not write is what it was then."""
    document["plugin"] = PluginRef(**document["plugin"])
    document["subject"] = Subject(**document["subject"])
    document["evidence"] = tuple(EvidenceRef(**item) for item in document["evidence"])
    document["outcome"] = ResultOutcome(document["outcome"])
    document["controls"] = tuple(document["controls"])
    document["provenance"] = tuple(document["provenance"])
    # Of a time when no plugin was isolated and nothing could be relaxed, there is neither.
    document["landlock_abi"] = document.get("landlock_abi", 0)
    document["relaxed"] = tuple(document.get("relaxed", ()))
    document.setdefault("cpu_ms")  # nor was it measured
    document.setdefault("memory_mib")
    document["started_at"] = datetime.fromisoformat(document["started_at"])
    document["waiver"] = _parse_waiver(document["waiver"]) if document["waiver"] else None
    document["earlier"] = tuple(document.get("earlier", ()))  # of a time when nothing was asked twice
    return Result(**document)


def _fields(value: Any) -> dict[str, Any]:
    """One level of a dataclass, by name. `dataclasses.asdict` copies deeply, and took half the time of a record."""
    return {name: getattr(value, name) for name in value.__slots__}


def _time(moment: datetime) -> str:
    return timestamp(moment, timespec="microseconds")


def encode(document: dict[str, Any]) -> bytes:
    """The document as bytes."""
    return to_bytes(_JSON.encode(document))


def to_bytes(text: str) -> bytes:
    """Any text as bytes, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str:
    """The text that these bytes were made of."""
    return data.decode("utf-8", "surrogatepass")


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970, as the tables count."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """The time, in UTC, that is so many microseconds after 1970.

    Raises:
        JournalDamagedError: there is no such time, or none that could be reckoned with: nobody of us wrote it.
    """
    if not _FIRST_US < microseconds < _LAST_US:
        raise JournalDamagedError(
            f"the journal holds a time that is none, {microseconds} microseconds after 1970; {MENDING}"
        )
    return _EPOCH + timedelta(microseconds=microseconds)

"""RECORD and the archive, equal in both directions: every file listed, every row a file, every hash and size right.

No common installer checks this. Here a row that does not fit is a refusal, never a repair.
"""

import base64
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assess_registry.errors import Issue
from assess_registry.names import Sha256
from assess_registry.wheel.names import printable
from assess_registry.wheel.values import Kind, WheelEntry

RULE = "PEP 376 and 427, RECORD"
MAX_RECORD_BYTES = 8 * 1024 * 1024
_HASH = re.compile(r"sha256=([A-Za-z0-9_-]{43})\Z")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,11})\Z")
SIGNATURES = ("RECORD.jws", "RECORD.p7s")
"""Beside RECORD and not listed in it (PEP 427, signed wheel files)."""


@dataclass(frozen=True, slots=True)
class _Row:
    digest: str
    size: str


def check_record(data: bytes, path: str, entries: Iterable[WheelEntry], *, kind: Kind) -> Iterator[Issue]:
    """Every difference between the RECORD in `data`, which stands at `path`, and the archive's files."""
    rows: dict[str, _Row] = {}
    try:
        yield from _read_rows(data, path, rows)
    except (ValueError, csv.Error) as error:
        yield _issue("record-syntax", path, f"it is no comma-separated UTF-8: {error}")
        return
    directory = path.rpartition("/")[0]
    unlisted = {path, *(f"{directory}/{name}" for name in SIGNATURES)}
    files = {entry.path: entry for entry in entries}
    for name in rows.keys() - files.keys():
        yield _issue("record-phantom", name, "RECORD lists it and the archive has no such file")
    for name, entry in files.items():
        row = rows.get(name)
        if row is None:
            if name not in unlisted or name == path:
                yield _issue("record-unlisted", name, "the archive has it and RECORD does not list it")
        elif name == path or (name in unlisted and not row.digest):
            if row.digest or row.size:
                yield _issue("record-self", name, "a row about RECORD itself has neither hash nor size")
        else:
            yield from _compare(entry, row, kind)


def _read_rows(data: bytes, path: str, rows: dict[str, _Row]) -> Iterator[Issue]:
    if len(data) > MAX_RECORD_BYTES:
        raise ValueError(f"it has more than {MAX_RECORD_BYTES} bytes")
    rows_read = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True)
    for number, fields in enumerate(rows_read, 1):
        if not fields:
            yield _issue("record-syntax", path, f"line {number} is empty")
        elif len(fields) != 3:
            yield _issue("record-syntax", path, f"line {number}: expected 3 fields, got {len(fields)}")
        elif fields[0] in rows:
            yield _issue("record-twice", fields[0], "RECORD lists it twice")
        else:
            rows[fields[0]] = _Row(fields[1], fields[2])


def _compare(entry: WheelEntry, row: _Row, kind: Kind) -> Iterator[Issue]:
    expected = encode_hash(entry.sha256)
    if not _HASH.match(row.digest):
        yield _issue(
            "record-hash", entry.path, f"expected sha256= and 43 characters of base64, got {row.digest[:80]!r}"
        )
    elif row.digest != expected:
        yield _issue("record-hash-mismatch", entry.path, f"RECORD says {row.digest}, the file has {expected}")
    if not row.size and kind == "dependency":
        return  # the hash says it all, and some builders leave the size out
    if not _SIZE.match(row.size) or int(row.size) != entry.size:
        yield _issue(
            "record-size-mismatch", entry.path, f"RECORD says {row.size[:20]!r} bytes, the file has {entry.size}"
        )


def encode_hash(sha256: Sha256) -> str:
    """A digest as RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode()


def _issue(kind: str, entry: str, message: str) -> Issue:
    return Issue(id=kind, entry=printable(entry), message=message, rule=RULE)

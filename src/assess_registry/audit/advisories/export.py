"""An OSV export as a sequence of documents: a zip of JSON files, one JSON document, or a JSON array of them.

It comes from somewhere else, so everything about it is bounded, and what two readers could understand differently
(a key twice, NaN, a name twice) is refused. Members of a zip are read in memory; their names are labels, never paths.
"""

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assess_registry.errors import ConfigError
from assess_registry.files import read_bounded
from assess_registry.names import Sha256, parse_sha256
from assess_registry.strict_json import parse_json

MAX_SOURCE_BYTES = 256 << 20
MAX_PLAIN_BYTES = 64 << 20
"""Of an export that is one JSON text: Python needs ten times as much to read it."""
MAX_ENTRIES = 65_534
"""Members of a zip, what its end record can count without the 64-bit form; the PyPI export had 20,000 in 2026."""
MAX_DOCUMENT_BYTES = 8 << 20
MAX_TOTAL_BYTES = 1 << 30
MAX_RATIO = 100
"""Unpacked to packed size of one member beyond the first MiB."""
MAX_DEPTH = 32

_END = struct.Struct("<4s4H2LH")  # APPNOTE 4.3.16
_MAX_DIRECTORY_BYTES = 32 << 20
_RATIO_FREE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """A file that has been read, and how to go through it."""

    path: Path
    data: bytes
    sha256: Sha256

    def documents(self) -> Iterator[tuple[str, Any]]:
        """Label and JSON value of every document, in the file's order.

        Raises:
            ConfigError: the file, or the document the message names, is not what an export holds.
        """
        if self.data.startswith(b"PK"):
            yield from _zipped(str(self.path), self.data)
        else:
            yield from _plain(str(self.path), self.data)


def read_export(path: Path) -> Export:
    """The export at `path`.

    Raises:
        ConfigError: there is none, it is too large or cannot be read.
    """
    try:
        data = read_bounded(path, MAX_SOURCE_BYTES)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; docs/advisories.md says how to obtain an export") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return Export(path=path, data=data, sha256=parse_sha256(hashlib.sha256(data).hexdigest()))


def _document(data: bytes, *, label: str) -> Any:
    """The JSON value in `data`.

    Raises:
        ConfigError: not JSON as `strict_json` reads it, or nested deeper than `MAX_DEPTH`.
    """
    try:
        return parse_json(data, max_depth=MAX_DEPTH)
    except ValueError as error:
        raise ConfigError(f"{label}: not the JSON that is expected: {error}") from error


def _plain(label: str, data: bytes) -> Iterator[tuple[str, Any]]:
    if len(data) > MAX_PLAIN_BYTES:
        raise ConfigError(f"{label}: expected at most {MAX_PLAIN_BYTES} bytes of JSON, got {len(data)}; give the zip")
    value = _document(data, label=label)
    if isinstance(value, list):
        yield from ((f"{label}[{place}]", document) for place, document in enumerate(value))
    else:
        yield label, value


def _zipped(label: str, data: bytes) -> Iterator[tuple[str, Any]]:
    """1. Bound the directory before anybody reads it. 2. Judge every member by it. 3. Inflate one after the other."""
    _check_end(label, data)  # 1
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_members(label, members)  # 2
            for member in members:
                with archive.open(member) as file:
                    # zipfile stops at the size the directory gives; one byte more would show that it lied.
                    content = file.read(member.file_size + 1)
                shown = f"{label}: {member.filename[:200]!r}"
                yield shown, _document(content, label=shown)  # 3
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ConfigError(f"{label}: not a zip file that can be read: {error}") from error


def _check_end(label: str, data: bytes) -> None:
    at = data.rfind(b"PK\5\6", max(0, len(data) - _END.size - 0xFFFF))
    if at < 0 or at + _END.size > len(data):
        raise ConfigError(f"{label}: a zip file without an end record: it is cut short")
    _, _, _, _, count, size, _, _ = _END.unpack_from(data, at)
    if data.startswith(b"PK\6\7", at - 20) or count > MAX_ENTRIES or size > _MAX_DIRECTORY_BYTES:
        raise ConfigError(f"{label}: expected at most {MAX_ENTRIES} documents; import the export of one ecosystem")


def _check_members(label: str, members: list[zipfile.ZipInfo]) -> None:
    problems: list[str] = []
    if len(members) > MAX_ENTRIES:
        problems.append(f"expected at most {MAX_ENTRIES} documents, got {len(members)}")
    if twice := _first_twice(member.filename for member in members):
        problems.append(f"{twice[:200]!r} is in it twice")
    if (total := sum(member.file_size for member in members)) > MAX_TOTAL_BYTES:
        problems.append(f"expected at most {MAX_TOTAL_BYTES} bytes unpacked, got {total}")
    for member in members:
        shown = repr(member.filename[:200])
        if not member.filename.endswith(".json"):
            problems.append(f"{shown} is not a .json file: this is no OSV export")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # LZMA takes a dictionary of any size it asks for.
            problems.append(f"{shown}: packed by method {member.compress_type}, expected stored or deflated")
        if member.file_size > MAX_DOCUMENT_BYTES:
            problems.append(f"{shown}: expected at most {MAX_DOCUMENT_BYTES} bytes, got {member.file_size}")
        elif member.file_size > max(_RATIO_FREE_BYTES, MAX_RATIO * member.compress_size):
            problems.append(f"{shown}: unpacks to {member.file_size} bytes from {member.compress_size}")
    if problems:
        raise ConfigError(*(f"{label}: {problem}" for problem in problems[:20]))


def _first_twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None

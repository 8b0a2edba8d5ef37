"""Zip archives written byte by byte, so that a test can lie in any one field of them.

`zipfile` writes only what is correct; an attack differs from it in one field. `write_zip` writes plain archives
(APPNOTE 4.3) and lets `Member.local`, `Member.central` and `end` override single fields by name.

    write_zip([Member("a.txt", b"hello")])                                      a correct archive
    write_zip([Member("a.txt", b"hello", central={"name": b"b.txt"})])          header and directory disagree
"""

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

STORED = 0
DEFLATED = 8
REGULAR = 0o100644
EXECUTABLE = 0o100755

_DOS_DATE = (2020 - 1980) << 9 | 1 << 5 | 1
_UNIX_2_0 = 3 << 8 | 20


@dataclass(frozen=True, slots=True)
class Member:
    """One archive member, and what its two headers shall say instead of the truth.

    Attributes:
        mode: the file type and permission bits, as in `st_mode`.
        local, central: field name -> value; fields as in `_LOCAL` and `_CENTRAL`, and `name`, `extra`, `comment`.
        body: the bytes between the headers, when they shall not be the compressed data.
        before: bytes in front of the local header.
        after: bytes behind the body, for example a data descriptor.
    """

    name: str
    data: bytes = b""
    method: int = DEFLATED
    mode: int = REGULAR
    local: Mapping[str, Any] = field(default_factory=dict)
    central: Mapping[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    before: bytes = b""
    after: bytes = b""


def write_zip(
    members: Iterable[Member], *, end: Mapping[str, int] | None = None, comment: bytes = b"", middle: bytes = b""
) -> bytes:
    """The archive; `middle` stands between the last member and the directory."""
    out, directory = bytearray(), bytearray()
    count = 0
    for member in members:
        out += member.before
        offset = len(out)
        local, central, body = _headers(member, offset)
        out += local + body + member.after
        directory += central
        count += 1
    out += middle
    fields = {"disk": 0, "start_disk": 0, "here": count, "total": count, "size": len(directory), "offset": len(out)}
    fields |= {"comment_length": len(comment)} | dict(end or {})
    return bytes(out + directory) + struct.pack("<4s4H2LH", b"PK\5\6", *fields.values()) + comment


def deflate(data: bytes) -> bytes:
    """The raw deflate stream of `data` (RFC 1951)."""
    engine = zlib.compressobj(6, zlib.DEFLATED, -15)
    return engine.compress(data) + engine.flush()


def _headers(member: Member, offset: int) -> tuple[bytes, bytes, bytes]:
    body = member.body
    if body is None:
        body = deflate(member.data) if member.method == DEFLATED else member.data
    name = member.name.encode()
    common: dict[str, Any] = {
        "needed": 20,
        "flags": 0 if name.isascii() else 0x800,
        "method": member.method,
        "time": 0,
        "date": _DOS_DATE,
        "crc": zlib.crc32(member.data),
        "compressed": len(body),
        "size": len(member.data),
        "name": name,
        "extra": b"",
    }
    rest = {"comment": b"", "disk": 0, "internal": 0, "external": member.mode << 16, "offset": offset}
    local = common | dict(member.local)
    central = {"made": _UNIX_2_0} | common | rest | dict(member.central)
    return _local(local), _central(central), body


def _local(f: Mapping[str, Any]) -> bytes:
    numbers = (f[k] for k in ("needed", "flags", "method", "time", "date", "crc", "compressed", "size"))
    lengths = len(f["name"]), f.get("extra_length", len(f["extra"]))
    tail: bytes = f["name"] + f["extra"]
    return struct.pack("<4s5H3L2H", b"PK\3\4", *numbers, *lengths) + tail


def _central(f: Mapping[str, Any]) -> bytes:
    keys = ("made", "needed", "flags", "method", "time", "date", "crc", "compressed", "size")
    lengths = len(f["name"]), len(f["extra"]), len(f["comment"])
    rest = (f[k] for k in ("disk", "internal", "external", "offset"))
    head = struct.pack("<4s6H3L5H2L", b"PK\1\2", *(f[k] for k in keys), *lengths, *rest)
    tail: bytes = f["name"] + f["extra"] + f["comment"]
    return head + tail

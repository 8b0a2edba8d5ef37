"""The zip framing of a wheel, read so that every other reader must see the same files.

A zip file can be read from its end, from its start, or by searching; archives exist that show a different tree to each
of them. Here a wheel must be one sequence without gaps: local header, body, local header, body ..., central directory
in the same order, end record, end of file; and nothing (comments, extra fields, zip64 records) is left over in which a
second archive could hide. The rest of this package works on the members found here; no other zip reader takes part.

Numbers in comments are sections of PKWARE's APPNOTE 6.3.10.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from assess_registry.errors import Issue
from assess_registry.wheel.headers import (
    HAS_DESCRIPTOR,
    STORED,
    UINT32_MAX,
    UTF8,
    Header,
    check_headers,
    descriptor_end,
    framing_issue,
)
from assess_registry.wheel.values import Kind

MAX_ENTRIES = 20_000
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
MAX_RATIO = 100
"""Unpacked to packed size of the whole archive, beyond the first 10 MiB; of real wheels measured at most 8."""

_RATIO_FREE_BYTES = 10 * 1024 * 1024

_LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7
_CENTRAL = struct.Struct("<4s6H3L5H2L")  # 4.3.12
_END = struct.Struct("<4s4H2LH")  # 4.3.16
_ZIP64_LOCATOR_BYTES = 20  # 4.3.15


class FramingError(Exception):
    """The archive cannot be walked, or a body not be inflated.

    Attributes:
        issue: why not.
    """

    def __init__(self, issue: Issue) -> None:
        super().__init__(str(issue))
        self.issue = issue


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One member of the archive; its packed bytes stand from `start` to `stop`."""

    name: str
    method: int
    crc: int
    size: int
    start: int
    stop: int
    is_directory: bool
    executable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """What a walk through the file found.

    Attributes:
        members: in file order; empty when the walk did not come to its end.
        headers: of each member reached, the directory's header and the local one.
        issues: why it did not come to its end, and what it stumbled over.
    """

    members: tuple[Member, ...]
    headers: tuple[tuple[Header, Header], ...]
    issues: tuple[Issue, ...]


def read_archive(data: bytes, *, kind: Kind) -> Archive:
    """The members of the archive in file order; their headers and sizes are still to be checked.

    1. The end record is the last thing in the file and describes a directory that ends where it begins.
    2. The directory holds as many headers as it says, and nothing else.
    3. Each member begins where the one before it ended; the last ends where the directory begins.
    """
    members: list[Member] = []
    headers: list[tuple[Header, Header]] = []
    issues: list[Issue] = []
    position = 0
    try:
        directory, count = _read_end(data)  # 1
        for header in list(_read_directory(data, directory, count)):  # 2
            if header.offset != position:  # 3
                _fail("framing-gap", header.shown, f"expected its header at byte {position}, got {header.offset}")
            local, start = _read_local(data, header, directory)
            headers.append((header, local))
            members.append(_member(header, start, issues))
            position = _next(data, header, start + header.compressed, kind, issues)
    except FramingError as error:
        return Archive(members=(), headers=tuple(headers), issues=(*issues, error.issue))
    if position != directory:
        gap = directory - position
        issues.append(framing_issue("framing-gap", "", f"{gap} bytes stand between the last member and the directory"))
    return Archive(members=tuple(members), headers=tuple(headers), issues=tuple(issues))


def check_sizes(members: Sequence[Member], packed: int) -> Iterator[Issue]:
    """Whether an archive of so many bytes unpacks to a bearable size; nothing is inflated to find out."""
    total = sum(member.size for member in members)
    if total > MAX_UNPACKED_BYTES:
        yield framing_issue("bomb", "", f"expected at most {MAX_UNPACKED_BYTES} bytes unpacked, got {total}")
    elif total > max(packed * MAX_RATIO, _RATIO_FREE_BYTES):
        message = f"expected at most {MAX_RATIO} times its size unpacked, got {total} bytes from {packed}"
        yield framing_issue("bomb", "", message)


def read_members(data: bytes, *, kind: Kind, issues: list[Issue]) -> tuple[Member, ...]:
    """The members of an archive whose headers agree and whose size is bearable; else why not is added to `issues`."""
    archive = read_archive(data, kind=kind)
    issues += archive.issues
    for header, local in archive.headers:
        issues += check_headers(header, local, kind=kind)
    issues += check_sizes(archive.members, len(data))
    return archive.members


def inflate(data: bytes, member: Member) -> bytes:
    """The member's content; at most one byte more than the size it declares is ever produced.

    Raises:
        FramingError: the body is not one whole stream of exactly that size and checksum.
    """
    body = memoryview(data)[member.start : member.stop]
    if member.method == STORED:
        content = bytes(body)
    else:
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = engine.decompress(body, member.size + 1)
        except zlib.error as error:
            raise FramingError(framing_issue("body-corrupt", member.name, f"it cannot be inflated: {error}")) from error
        if not engine.eof or engine.unused_data:
            _fail("body-corrupt", member.name, "its body is not exactly one deflate stream of the declared size")
    if len(content) != member.size:
        _fail("body-corrupt", member.name, f"expected {member.size} bytes unpacked, got {len(content)}")
    if zlib.crc32(content) != member.crc:
        _fail("body-corrupt", member.name, f"expected CRC {member.crc:08x}, got {zlib.crc32(content):08x}")
    return content


def _fail(kind: str, entry: str, message: str) -> NoReturn:
    raise FramingError(framing_issue(kind, entry, message))


def _read_end(data: bytes) -> tuple[int, int]:
    """Where the directory begins, and how many headers it has."""
    at = len(data) - _END.size
    if at < 0 or not data.startswith(b"PK\5\6", at):
        _fail(
            "framing-end", "", "the file does not end with a zip end record: it is cut short, or something follows it"
        )
    _, disk, start_disk, here, total, size, offset, comment_length = _END.unpack_from(data, at)
    if comment_length:
        _fail("framing-comment", "", "the archive has a comment")
    # Python's zipfile follows a locator wherever one stands, also inside the directory's last header.
    if data.startswith(b"PK\6\7", at - _ZIP64_LOCATOR_BYTES) or UINT32_MAX in (size, offset) or total == 0xFFFF:
        _fail("framing-zip64", "", "the archive has a zip64 end record, which no wheel of bearable size needs")
    if disk or start_disk or here != total:
        _fail("framing-end", "", "the archive says that it has several parts")
    if not 0 < total <= MAX_ENTRIES:
        _fail("too-many-entries", "", f"expected 1 to {MAX_ENTRIES} members, got {total}")
    if offset + size != at:
        _fail("framing-gap", "", f"expected the directory from byte {offset} to {at}, got {size} bytes of it")
    return offset, total


def _read_directory(data: bytes, start: int, count: int) -> Iterator[Header]:
    at, end = start, len(data) - _END.size
    for _ in range(count):
        if at + _CENTRAL.size > end or not data.startswith(b"PK\1\2", at):
            _fail("framing-directory", "", f"expected a directory header at byte {at}")
        _, made, needed, flags, method, time, date, *rest = _CENTRAL.unpack_from(data, at)
        crc, compressed, size, name_length, extra_length, comment_length, disk, _, external, offset = rest
        name = at + _CENTRAL.size
        extra = name + name_length
        comment = extra + extra_length
        at = comment + comment_length
        if at > end:
            _fail("framing-directory", "", "a header runs over the end of the directory")
        yield Header(
            needed=needed,
            flags=flags,
            method=method,
            time=time,
            date=date,
            crc=crc,
            compressed=compressed,
            size=size,
            name=data[name:extra],
            extra=data[extra:comment],
            made=made,
            comment=data[comment:at],
            disk=disk,
            external=external,
            offset=offset,
        )
    if at != end:
        _fail("framing-directory", "", f"expected {count} headers and no more, got {end - at} bytes behind them")


def _read_local(data: bytes, header: Header, limit: int) -> tuple[Header, int]:
    """The local header, and where the body begins; all of the body stands before `limit`."""
    at = header.offset
    if at + _LOCAL.size > limit or not data.startswith(b"PK\3\4", at):
        _fail("framing-local", header.shown, f"expected a local header at byte {at}")
    _, needed, flags, method, time, date, crc, compressed, size, name_length, extra_length = _LOCAL.unpack_from(
        data, at
    )
    name = at + _LOCAL.size
    extra = name + name_length
    start = extra + extra_length
    if start + header.compressed > limit:
        _fail("framing-local", header.shown, "its body runs into the directory")
    local = Header(
        needed=needed,
        flags=flags,
        method=method,
        time=time,
        date=date,
        crc=crc,
        compressed=compressed,
        size=size,
        name=data[name:extra],
        extra=data[extra:start],
    )
    return local, start


def _member(header: Header, start: int, issues: list[Issue]) -> Member:
    try:
        name = header.name.decode("utf-8" if header.flags & UTF8 else "ascii")
    except UnicodeDecodeError:
        # Without the flag it is code page 437 to one reader and UTF-8 to the next (appendix D).
        issues.append(
            framing_issue("name-encoding", header.shown, "expected ASCII, or UTF-8 and the flag that says so")
        )
        name = header.shown
    return Member(
        name=name,
        method=header.method,
        crc=header.crc,
        size=header.size,
        start=start,
        stop=start + header.compressed,
        is_directory=header.is_directory,
        executable=bool(header.external >> 16 & 0o111),
    )


def _next(data: bytes, header: Header, end: int, kind: Kind, issues: list[Issue]) -> int:
    """Where the next member must begin: behind the body, or behind a data descriptor that tells the truth."""
    if kind == "plugin" or not header.flags & HAS_DESCRIPTOR:
        return end
    following = descriptor_end(data, end, header)
    if following is None:
        issues.append(
            framing_issue("framing-descriptor", header.shown, "no data descriptor that agrees follows its body")
        )
        return end
    return following

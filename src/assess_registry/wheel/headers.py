"""The two headers of an archive member: what they may say, and that they say the same.

A field that one reader believes in the local header and another in the central directory must be equal in both; what
readers implement differently (encryption, names in extra fields, zip64, links) is refused. Of a dependency a truthful
data descriptor or zip64 field, Info-ZIP's harmless extra fields and directories are accepted: real wheels have them.

Numbers in comments are sections of PKWARE's APPNOTE 6.3.10.
"""

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from assess_registry.errors import Issue
from assess_registry.wheel.values import Kind

RULE = "assess: one archive, one reading"

STORED, DEFLATED = 0, 8
HAS_DESCRIPTOR = 1 << 3
UTF8 = 1 << 11
UINT32_MAX = 0xFFFFFFFF

_KNOWN_FLAGS = 1 << 1 | 1 << 2 | HAS_DESCRIPTOR | UTF8  # 1 and 2 only say how hard the compressor tried (4.4.4)
_MAX_NEEDED = 45
_SYSTEMS = (0, 3)  # FAT and Unix (4.4.2), which are what wheel builders say
_DOS_DIRECTORY = 0x10
_ZIP64_EXTRA = 0x0001
_HARMLESS_EXTRAS = frozenset((0x5455, 0x7875))  # Info-ZIP: timestamps, owner; 0x7075 would be a second name
_SIZES = ("compressed", "size")


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """One header, local (4.3.7) or of the directory (4.3.12); a local one has zeros behind its extra fields."""

    needed: int
    flags: int
    method: int
    time: int
    date: int
    crc: int
    compressed: int
    size: int
    name: bytes
    extra: bytes
    made: int = 0
    comment: bytes = b""
    disk: int = 0
    external: int = 0
    offset: int = 0

    @property
    def shown(self) -> str:
        """The name as it may be printed, whatever its bytes are."""
        return self.name[:200].decode("ascii", "backslashreplace")

    @property
    def is_directory(self) -> bool:
        """Whether the name says so, which is what every reader goes by."""
        return self.name.endswith(b"/")


def framing_issue(kind: str, entry: str, message: str) -> Issue:
    """An issue of the archive as such."""
    return Issue(id=kind, entry=entry if entry.isprintable() else ascii(entry), message=message, rule=RULE)


def check_headers(header: Header, local: Header, *, kind: Kind) -> Iterator[Issue]:
    """What is wrong with a member's directory header, and where its local one disagrees."""
    for name in ("needed", "flags", "method", "time", "date", "crc", *_SIZES, "name"):
        expected, got = getattr(header, name), getattr(local, name)
        if got != expected and not _is_elsewhere(name, got, header, local, kind):
            message = f"its local header says {name} {got!r:.100}, the directory {expected!r:.100}"
            yield framing_issue("headers-disagree", header.shown, message)
    for kind_of_issue, message in (*_feature_problems(header, kind), *_mode_problems(header, kind)):
        yield framing_issue(kind_of_issue, header.shown, message)
    for extra, allowed in ((header.extra, frozenset[int]()), (local.extra, _zip64_allowed(header, local, kind))):
        harmless = _HARMLESS_EXTRAS if kind == "dependency" else frozenset[int]()
        if unknown := {number for number, _ in _extras(extra)} - harmless - allowed:
            listed = ", ".join(f"{number:#06x}" for number in sorted(unknown))
            yield framing_issue("framing-extra", header.shown, f"a wheel has no use for its extra fields {listed}")


def descriptor_end(data: bytes, start: int, header: Header) -> int | None:
    """Where a data descriptor at `start` that repeats the header's checksum and sizes ends (4.3.9), if one is there."""
    for layout, signature in (("<3L", b"PK\7\10"), ("<L2Q", b"PK\7\10"), ("<3L", b"")):
        descriptor = signature + struct.pack(layout, header.crc, header.compressed, header.size)
        end = start + len(descriptor)
        # What follows decides between the forms, in which one is the beginning of another.
        if data.startswith(descriptor, start) and data.startswith((b"PK\3\4", b"PK\1\2"), end):
            return end
    return None


def _is_elsewhere(name: str, got: object, header: Header, local: Header, kind: Kind) -> bool:
    """Whether the local header leaves this field, in a permitted way, to a descriptor or a zip64 field."""
    if header.flags & HAS_DESCRIPTOR and got == 0 and name in ("crc", *_SIZES):
        return True
    return name in _SIZES and got == UINT32_MAX and bool(_zip64_allowed(header, local, kind))


def _feature_problems(header: Header, kind: Kind) -> Iterator[tuple[str, str]]:
    if header.flags & ~_KNOWN_FLAGS:
        yield "framing-flags", f"expected neither encryption nor unknown flags, got {header.flags:#06x}"
    if header.flags & HAS_DESCRIPTOR and (kind == "plugin" or header.method == STORED):
        # A reader from the start cannot know where a stored body with a descriptor ends, and has to search.
        yield "framing-descriptor", "its sizes stand behind its body: write the wheel to a file, not to a stream"
    if header.method not in (STORED, DEFLATED):
        yield "framing-method", f"expected stored or deflated, got compression method {header.method}"
    if header.method == STORED and header.size != header.compressed:
        yield "headers-disagree", f"it is stored, and {header.compressed} bytes stand for {header.size}"
    if header.needed > _MAX_NEEDED or header.made >> 8 not in _SYSTEMS or header.disk:
        got = f"version {header.needed / 10}, system {header.made >> 8}, part {header.disk}"
        yield "framing-version", f"expected zip version <= 4.5, made on Unix or FAT, in one part, got {got}"
    if header.comment:
        yield "framing-comment", "it has a comment"


def _mode_problems(header: Header, kind: Kind) -> Iterator[tuple[str, str]]:
    mode = header.external >> 16
    expected = (0, stat.S_IFDIR if header.is_directory else stat.S_IFREG)
    if stat.S_IFMT(mode) not in expected or mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX):
        yield "not-a-regular-file", f"expected a regular file without special bits, got mode {mode:#o}"
    if header.external & _DOS_DIRECTORY and not header.is_directory:
        yield "not-a-regular-file", "it is marked as a directory and not named like one"
    if header.is_directory and (kind == "plugin" or header.size):
        yield "directory-entry", "expected files only, got a directory"


def _zip64_allowed(header: Header, local: Header, kind: Kind) -> frozenset[int]:
    """The zip64 field's number when the local header's holds exactly the directory's sizes (4.5.3)."""
    found = [content for number, content in _extras(local.extra) if number == _ZIP64_EXTRA]
    truthful = found == [struct.pack("<2Q", header.size, header.compressed)]
    return frozenset((_ZIP64_EXTRA,)) if kind == "dependency" and truthful else frozenset()


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """The extra fields (4.5.1); a malformed rest comes as number 0xffff, which nobody allows."""
    while extra:
        end = 4 + int.from_bytes(extra[2:4], "little")
        if len(extra) < end:
            yield 0xFFFF, extra
            return
        yield int.from_bytes(extra[:2], "little"), extra[4:end]
        extra = extra[end:]

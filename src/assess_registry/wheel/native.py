"""What is native code: by how it begins, or by what it is called. Inspection and the audit ask here."""

import re

_SUFFIXES = re.compile(r"\.(so(\.[0-9]+)*|pyd|dylib|dll|exe|a|lib|o|ko)\Z", re.IGNORECASE)
_MACH_O = (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
_FAT = {b"\xca\xfe\xba\xbe": "big", b"\xca\xfe\xba\xbf": "big", b"\xbe\xba\xfe\xca": "little"}
_MAX_FAT = 40
"""Architectures of a universal Mach-O file; a Java class file begins alike and has a version from 45 in their place."""

_PE_OFFSET = slice(60, 64)
"""Where a program for Windows says at which byte its `PE` header stands (PE format, MS-DOS stub)."""


def native_kind(name: str, data: bytes) -> str:
    """What kind of native code a loader would take this for; empty when it is none."""
    if data.startswith(b"\x7fELF"):
        return "ELF file"
    if data.startswith(_MACH_O) or _is_universal(data):
        return "Mach-O file"
    if _is_pe(data):
        return "PE file"
    if data.startswith((b"!<arch>\n", b"!<thin>\n")):
        return "archive of object files"
    return "file named like native code" if _SUFFIXES.search(name) else ""


def _is_universal(data: bytes) -> bool:
    match _FAT.get(data[:4]):
        case "big":
            return 0 < int.from_bytes(data[4:8], "big") <= _MAX_FAT
        case "little":
            return 0 < int.from_bytes(data[4:8], "little") <= _MAX_FAT
    return False


def _is_pe(data: bytes) -> bool:
    # The two letters alone may begin any text; Windows, too, goes by what stands where they lead.
    start = int.from_bytes(data[_PE_OFFSET], "little")
    return data.startswith(b"MZ") and data.startswith(b"PE\0\0", start)

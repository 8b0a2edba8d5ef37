"""A bundle is its members, one behind the other, their directory and its end: nothing before, between or after them.

Readers of zip files look from the end and skip what they do not know; two of them could see two bundles in one file,
and its digest would say nothing about what was carried.
"""

import struct
import zipfile
from collections.abc import Sequence
from typing import IO

_LOCAL = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCAL_MAGIC, _END_MAGIC, _END_64_MAGIC = b"PK\3\4", b"PK\5\6", b"PK\6\6"
_IN_64 = 0xFFFFFFFF


class FramingError(ValueError):
    """There are bytes that belong to no member."""


def check_framing(file: IO[bytes], infos: Sequence[zipfile.ZipInfo]) -> None:
    """Every byte of the file belongs to a member, to the directory or to its end.

    Args:
        file: open for reading; where it stands is left changed.
        infos: as the directory lists the members, all stored.

    Raises:
        FramingError: some do not.
    """
    begin, end = 0, _directory(file)
    for info in sorted(infos, key=lambda each: each.header_offset):
        if info.header_offset != begin:
            raise FramingError(f"{begin} is where {info.filename} has to begin, and it begins at {info.header_offset}")
        file.seek(begin)
        header = file.read(_LOCAL.size)
        if len(header) != _LOCAL.size or not header.startswith(_LOCAL_MAGIC):
            raise FramingError(f"{info.filename} has no header of its own")
        *_, name_length, extra_length = _LOCAL.unpack(header)
        if file.read(name_length) != info.filename.encode():
            raise FramingError(f"{info.filename} calls itself something else")
        if extra_length:
            raise FramingError(f"{info.filename} has an extra field")
        begin += _LOCAL.size + name_length + info.compress_size
    if begin != end[0]:
        raise FramingError(f"{begin} is where the directory has to begin, and it begins at {end[0]}")
    if end[1] != end[2]:
        raise FramingError(f"the directory ends at {end[1]}, and what says so begins at {end[2]}")


def _directory(file: IO[bytes]) -> tuple[int, int, int]:
    """Where the directory begins and ends, as the end says, and where that end begins; it has no comment."""
    size = file.seek(0, 2)
    file.seek(max(size - _END.size, 0))
    record = file.read(_END.size)
    if len(record) != _END.size or not record.startswith(_END_MAGIC):
        raise FramingError("there is something behind its end")
    *_, length, offset, comment = _END.unpack(record)
    if comment:
        raise FramingError("it has a comment")
    if _IN_64 not in (length, offset):
        return offset, offset + length, size - _END.size
    begin = size - _END.size - _LOCATOR.size - _END_64.size
    file.seek(max(begin, 0))
    record = file.read(_END_64.size)
    if begin < 0 or len(record) != _END_64.size or not record.startswith(_END_64_MAGIC):
        raise FramingError("its 64-bit end is not where it has to be")
    *_, length, offset = _END_64.unpack(record)
    return offset, offset + length, begin

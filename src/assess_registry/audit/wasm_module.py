"""A WebAssembly module, read as far as an auditor has to: what it imports, how much memory it takes, what it starts.

Sections are walked by their length and only three are looked into, so the time is linear and nothing is run, compiled
or validated beyond its framing. Source: WebAssembly Core Specification 3.0, "Binary Format, Modules".
"""

from dataclasses import dataclass

MAGIC = b"\0asm"
VERSION = b"\x01\0\0\0"

MAX_IMPORTS = 10_000
MAX_NAME = 1024
_CUSTOM = 0
_ORDER = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
"""Sections as they follow each other; custom ones stand anywhere."""

_KINDS = ("function", "table", "memory", "global", "tag")
_REFERENCE_PREFIXES = (0x63, 0x64)


class WasmError(ValueError):
    """This is no WebAssembly module; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Import:
    """What the module wants from outside."""

    module: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Pages of 64 KiB at the start and at most; None where nothing bounds it."""

    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class WasmModule:
    """A module's outside; memories are the imported ones and its own. `start` is the index of a function."""

    imports: tuple[Import, ...]
    memories: tuple[Memory, ...]
    start: int | None


def parse_wasm(data: bytes) -> WasmModule:
    """What stands in the import, memory and start sections.

    Raises:
        WasmError: the framing is broken, a section stands twice or out of order, or the version is not 1.
    """
    if data[:4] != MAGIC:
        raise WasmError("it does not begin as a WebAssembly module")
    if data[4:8] != VERSION:
        raise WasmError(f"expected version 1, got {data[4:8].hex()}: components are not supported")
    reader, place = _Reader(data, 8, len(data)), 0
    imports: list[Import] = []
    memories: list[Memory] = []
    start: int | None = None
    while reader.position < reader.end:
        section = reader.byte()
        inner = reader.part(reader.number(32))
        if section != _CUSTOM:
            place = _next_place(section, place)
        match section:
            case 2:  # imports
                _read_imports(inner, imports, memories)
            case 5:  # memories
                memories += [_read_limits(inner) for _ in range(inner.count(100))]
            case 8:  # start
                start = inner.number(32)
            case _:
                continue
        inner.expect_end()
    return WasmModule(imports=tuple(imports), memories=tuple(memories), start=start)


def _next_place(section: int, place: int) -> int:
    if section not in _ORDER or _ORDER.index(section) < place:
        raise WasmError(f"section {section} is unknown, stands twice or out of order")
    return _ORDER.index(section) + 1


def _read_imports(reader: "_Reader", imports: list[Import], memories: list[Memory]) -> None:
    for _ in range(reader.count(MAX_IMPORTS)):
        module, name, kind = reader.text(), reader.text(), reader.byte()
        if kind >= len(_KINDS):
            raise WasmError(f"import {name!r:.80} is of unknown kind {kind}")
        match _KINDS[kind]:
            case "function":
                reader.number(32)
            case "table":
                _skip_type(reader)
                _read_limits(reader)
            case "memory":
                memories.append(_read_limits(reader))
            case "global":
                _skip_type(reader)
                reader.byte()
            case _:
                reader.byte()
                reader.number(32)
        imports.append(Import(module, name, _KINDS[kind]))


def _skip_type(reader: "_Reader") -> None:
    if reader.byte() in _REFERENCE_PREFIXES:
        reader.number(33)


def _read_limits(reader: "_Reader") -> Memory:
    flags = reader.byte()
    if flags > 7:
        raise WasmError(f"limits have unknown flags {flags:#x}")
    bits = 64 if flags & 4 else 32
    minimum = reader.number(bits)
    return Memory(minimum, reader.number(bits) if flags & 1 else None)


class _Reader:
    """A cursor over a part of the module that never leaves it."""

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self.data, self.position, self.end = data, position, end

    def byte(self) -> int:
        if self.position >= self.end:
            raise WasmError(f"it ends too early, at byte {self.position}")
        self.position += 1
        return self.data[self.position - 1]

    def number(self, bits: int) -> int:
        """An unsigned LEB128 of so many bits."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
            if shift >= bits:
                raise WasmError(f"a number is too long, at byte {self.position}")
        if value >> bits:
            raise WasmError(f"a number is too large, at byte {self.position}")
        return value

    def count(self, most: int) -> int:
        value = self.number(32)
        if value > most:
            raise WasmError(f"a list has {value} entries, more than {most}")
        return value

    def text(self) -> str:
        size = self.count(MAX_NAME)
        part = self.part(size)
        try:
            return self.data[part.position : part.end].decode("utf-8")
        except UnicodeDecodeError as error:
            raise WasmError(f"a name is not UTF-8, at byte {part.position}") from error

    def part(self, size: int) -> "_Reader":
        if size > self.end - self.position:
            raise WasmError(f"a part of {size} bytes does not fit, at byte {self.position}")
        self.position += size
        return _Reader(self.data, self.position - size, self.position)

    def expect_end(self) -> None:
        if self.position != self.end:
            raise WasmError(f"{self.end - self.position} bytes of a section are left over")

"""Whether a bytecode file is what its source compiles to, without ever loading it.

Bytecode runs instead of its source, so an environment whose sources are right and whose bytecode is not is not the
environment that was audited. Two compilations of one source need not agree in their bytes: marshal shares an object
when its reference count happens to be above one. And `marshal.loads` may not be given hostile data: it can crash the
interpreter, or worse. So both sides are read here, in plain Python, and reduced to one digest in which sharing,
interning and the recorded file name (which importing replaces) do not show.

    same_code(pyc_bytes, source_bytes, optimize=-1)

Only for bytecode of the running interpreter: what a code object consists of changes between versions. So another one
runs this file as a program, which reads pairs on its input and writes one byte for each (`othercode.py`):

    python3.13 -I -S -B codeform.py
"""

import hashlib
import importlib.util
import marshal
import struct
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

HEADER_BYTES = 16
"""Magic, flags, and time stamp with size or source hash (PEP 552)."""

MAX_DEPTH = 300
"""Of nested constants and functions; the compiler gives up earlier, a hostile file must not exhaust our stack."""

PAIR = struct.Struct(">BQQ")
"""Optimisation level, length of the bytecode, length of the source."""

_REF_FLAG = 0x80
_SINGLETONS = frozenset(b"NTFS.")  # None, True, False, StopIteration, Ellipsis
_LATIN1 = {ord("a"): 4, ord("A"): 4, ord("z"): 1, ord("Z"): 1}  # type -> bytes of its length
_UTF8 = frozenset(b"ut")
_SEQUENCES = {ord("("): 4, ord(")"): 1, ord("["): 4}
_SETS = frozenset(b"<>")
_CODE_COUNTS = 5  # argcount, posonlyargcount, kwonlyargcount, stacksize, flags
_CODE_PARTS = ("code", "consts", "names", "localsplusnames", "localspluskinds", "filename", "name", "qualname")
_CODE_TAIL = 2  # linetable, exceptiontable


def same_code(bytecode: bytes, source: bytes, *, optimize: int = -1) -> bool:
    """Whether this bytecode file runs exactly what this source says, under the running interpreter.

    Args:
        bytecode: a whole `.pyc` file, from anywhere.
        source: the module's source, trusted.
        optimize: as for `compile`; the level is a part of the file's name.
    """
    if bytecode[:4] != importlib.util.MAGIC_NUMBER:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(source, "", "exec", dont_inherit=True, optimize=optimize)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False  # such a source has no bytecode
    try:
        return code_digest(bytecode[HEADER_BYTES:]) == code_digest(marshal.dumps(code))
    except ValueError:
        return False


def same_codes(pairs: bytes) -> bytes:
    """For each pair, packed as `PAIR` says and bytecode and source behind it, `1` if `same_code`, else `0`."""
    said, at = bytearray(), 0
    while at < len(pairs):
        level, bytecodes, sources = PAIR.unpack_from(pairs, at)
        at += PAIR.size
        bytecode, source = pairs[at : at + bytecodes], pairs[at + bytecodes : at + bytecodes + sources]
        at += bytecodes + sources
        said += b"1" if same_code(bytecode, source, optimize=level) else b"0"
    return bytes(said)


def code_digest(data: bytes) -> bytes:
    """A digest of the one marshalled value in `data`, equal for all ways to marshal an equal value.

    Raises:
        ValueError: it is no such value, or something follows it.
    """
    reader = _Reader(data)
    try:
        digest = reader.value()
    except (IndexError, struct.error, UnicodeError) as error:
        raise ValueError(f"not marshalled code: {error}") from error
    if reader.at != len(data):
        raise ValueError(f"{len(data) - reader.at} bytes follow the code")
    return digest


@dataclass(slots=True)
class _Reader:
    """A cursor over marshalled data (CPython, Python/marshal.c, `r_object`). Values are digests, so sharing is free."""

    data: bytes
    at: int = 0
    depth: int = 0
    refs: list[bytes | None] = field(default_factory=list)

    def value(self) -> bytes:
        marked = self.byte()
        kind = marked & ~_REF_FLAG
        if kind == ord("r"):
            return self.reference()
        place = None
        if marked & _REF_FLAG:
            place = len(self.refs)
            self.refs.append(None)  # its number is given before its parts are read
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        digest = self.unshared(kind)
        self.depth -= 1
        if place is not None:
            self.refs[place] = digest
        return digest

    def unshared(self, kind: int) -> bytes:
        if kind in _SINGLETONS:
            return _digest(kind)
        if kind in _LATIN1:
            return _digest(ord("u"), self.take(self.size(_LATIN1[kind])).decode("latin-1").encode())
        if kind in _UTF8:
            return _digest(ord("u"), self.take(self.size(4)))
        if kind in _SEQUENCES:
            name = ord("(") if kind == ord(")") else kind
            return _digest(name, *[self.value() for _ in range(self.size(_SEQUENCES[kind]))])
        if kind in _SETS:
            return _digest(kind, *sorted(self.value() for _ in range(self.size(4))))
        read = _READERS.get(kind)
        if read is None:
            raise ValueError(f"no constant has type {chr(kind)!r}")
        return read(self)

    def reference(self) -> bytes:
        digest = self.refs[self.size(4)]
        if digest is None:
            raise ValueError("a value refers to itself")
        return digest

    def integer(self) -> bytes:
        return _digest(ord("i"), self.take(4))

    def long(self) -> bytes:
        count = self.signed()
        # Its digits as they stand: marshal has one way to write an integer, and a file with another is not ours.
        return _digest(ord("l"), b"-" if count < 0 else b"+", self.take(2 * abs(count)))

    def real(self) -> bytes:
        return _digest(ord("g"), self.take(8))

    def complex(self) -> bytes:
        return _digest(ord("y"), self.take(16))

    def octets(self) -> bytes:
        return _digest(ord("s"), self.take(self.size(4)))

    def slice(self) -> bytes:
        return _digest(ord(":"), self.value(), self.value(), self.value())

    def code(self) -> bytes:
        counts = self.take(4 * _CODE_COUNTS)
        parts = {name: self.value() for name in _CODE_PARTS}
        first_line = self.take(4)
        tail = [self.value() for _ in range(_CODE_TAIL)]
        del parts["filename"]
        return _digest(ord("c"), counts, *parts.values(), first_line, *tail)

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def signed(self) -> int:
        return int.from_bytes(self.take(4), "little", signed=True)

    def size(self, width: int) -> int:
        size = int.from_bytes(self.take(width), "little", signed=width == 4)
        if not 0 <= size <= len(self.data):  # an element has at least one byte
            raise ValueError(f"a size of {size} in {len(self.data)} bytes")
        return size

    def take(self, count: int) -> bytes:
        self.at += count
        if self.at > len(self.data):
            raise ValueError("cut short")
        return self.data[self.at - count : self.at]


_READERS: dict[int, Callable[[_Reader], bytes]] = {
    ord("i"): _Reader.integer,
    ord("l"): _Reader.long,
    ord("g"): _Reader.real,
    ord("y"): _Reader.complex,
    ord("s"): _Reader.octets,
    ord(":"): _Reader.slice,
    ord("c"): _Reader.code,
}


def _digest(kind: int, *parts: bytes) -> bytes:
    """Of a type and its parts, each with its length in front, so that no two lists of parts read the same."""
    joined = b"".join([b"%c%d:" % (kind, len(parts)), *[b"%d:%b" % (len(part), part) for part in parts]])
    # Short ones stand for themselves: most values are names, and hashing each would cost more than comparing them.
    return joined if len(joined) <= 64 else b"#" + hashlib.sha256(joined).digest()


if __name__ == "__main__":
    sys.stdout.buffer.write(same_codes(sys.stdin.buffer.read()))

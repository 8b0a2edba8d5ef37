"""Secrets taken out of whatever a plugin says: as they are, and as programs write them down elsewhere.

    redactor = Redactor()
    redactor.mark("db", "correct horse")
    redactor.text("login failed for correct%20horse")    -> "login failed for [secret db]"

It finds what slips out: a URL in an error, a header in a log, a dump in evidence. A plugin that wants to give its
secret away can always write it in a way that nobody looks for; what holds it back is that it can reach nobody.

Looked for is each form without regard to case, line breaks and zero bytes: so upper-cased, wrapped, in UTF-16 it is the
same bytes, and one search finds them all. Megabytes are searched in a thread, a piece at a time, since nothing else of
the process runs during a search.
"""

import base64
import heapq
import html
import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate, compress
from threading import Event
from typing import Any
from urllib.parse import quote, quote_plus

from assess_core.host.text import clean_line, clean_lines
from assess_core.secrets import MIN_SECRET
from assess_plugin.models import MAX_TEXT

_SEARCHED = 1 << 20
"""Bytes that are searched at a time."""

_MAPPED = 1 << 16
"""Bytes of which it is known at a time which of them count."""

_BREAKS = b"\0\r\n"
_COUNTS = bytes(each not in _BREAKS for each in range(256))
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


class AbandonedError(Exception):
    """Nobody waits for what is being searched."""


class Redactor:
    """Knows the secrets of one worker; what it was told it may say also calls later."""

    def __init__(self) -> None:
        self._forms: dict[bytes, bytes] = {}

    @property
    def knows_any(self) -> bool:
        """Whether there is anything to take out."""
        return bool(self._forms)

    def mark(self, name: str, value: str) -> None:
        """From now on the value is `[secret NAME]` wherever it is found."""
        shown = f"[secret {name}]".encode()
        for form in _forms(value):
            bare = form.lower().translate(None, _BREAKS)
            if bare:
                self._forms.setdefault(bare, shown)

    def mark_within(self, name: str, value: Any) -> None:
        """The same for each text in what JSON can say that is long enough to be a secret; not for names of members."""
        match value:
            case str() if len(value) >= MIN_SECRET:
                self.mark(name, value)
            case Mapping():
                for each in value.values():
                    self.mark_within(name, each)
            case list() | tuple():
                for each in value:
                    self.mark_within(name, each)

    @property
    def marks(self) -> int:
        """How much is looked for; it grows with each value that was not known before."""
        return len(self._forms)

    def data(self, data: bytes, abandoned: Event | None = None) -> bytes:
        """The bytes without any secret; what overlaps goes as one.

        Args:
            data: of any length.
            abandoned: set once nobody waits for it any more.

        Raises:
            AbandonedError: it was set; a search of megabytes that are full of secrets takes seconds.
        """
        if not self._forms:
            return data
        left = self._without(data, data, abandoned)
        if b"\\n" in left:  # lines within lines, as JSON and `repr` write them
            left = self._without(left, left.replace(b"\\r", b"\r\r").replace(b"\\n", b"\r\n"), abandoned)
        return left

    def _without(self, data: bytes, searched: bytes, abandoned: Event | None) -> bytes:
        """The one, without what is a secret where it is in the other, which is as long."""
        bare = _Bare(searched)
        present = [each for each in tuple(self._forms.items()) if _find(bare.data, each[0], 0) >= 0]
        if not present:
            return data
        left, at = bytearray(), 0
        for start, end, shown in _spans(bare.data, present):
            if abandoned is not None and abandoned.is_set():
                raise AbandonedError
            left += data[at : bare.place(start)] + shown
            at = bare.place(end - 1) + 1
        return bytes(left + data[at:])

    def text(self, text: str) -> str:
        """The text without any secret; nor the beginning of one, where the worker has clipped it."""
        return self._text(text, clipped=len(text) == MAX_TEXT)

    def line(self, text: str) -> str:
        """The same as a clean line: what is a secret only without its escape sequences is found, too."""
        return self._text(clean_line(self.text(text)), clipped=len(text) == MAX_TEXT)

    def lines(self, data: bytes) -> str:
        """The same of several lines of output."""
        return self._text(clean_lines(self.data(data).decode("utf-8", "replace")), clipped=False)

    def _text(self, text: str, *, clipped: bool) -> str:
        if not self._forms:
            return text
        said = text.removesuffix(_ELLIPSIS).encode("utf-8", "surrogatepass")
        left = self.data(self.cut_end(said) if clipped else said)
        try:
            decoded = left.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:  # what was found began or ended within a character
            decoded = left.decode("utf-8", "replace")
        return decoded + _ELLIPSIS * text.endswith(_ELLIPSIS)

    def value(self, value: Any) -> Any:
        """What JSON can say, without any secret."""
        if not self._forms:
            return value
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.value(name): self.value(each) for name, each in value.items()}
            case list() | tuple():
                return [self.value(each) for each in value]
            case _:
                return value

    def cut(self, data: bytes) -> bytes:
        """The bytes, of which the beginning is missing, without what may be the end of a secret that began there."""
        bare = _Bare(data)
        size = max((_overlap(form, bare.data, len(form) - 1) for form in tuple(self._forms)), default=0)
        return data[bare.place(size - 1) + 1 :] if size else data

    def cut_end(self, data: bytes) -> bytes:
        """The bytes, of which the end is missing, without what may be the beginning of a secret that ended there."""
        bare = _Bare(data)
        size = max((_overlap(bare.data, form, len(form) - 1) for form in tuple(self._forms)), default=0)
        return data[: bare.place(len(bare.data) - size)] if size else data


class _Bare:
    """Bytes in small letters and without breaks, and where in the original each of them is."""

    def __init__(self, data: bytes) -> None:
        self._whole = data
        self.data = bytearray()
        for start in range(0, len(data), _SEARCHED):
            self.data += data[start : start + _SEARCHED].lower().translate(None, _BREAKS)
        self._ends: list[int] = []
        self._mapped, self._places = -1, list[int]()

    def place(self, index: int) -> int:
        """Where in the original the byte is that has this index here."""
        if len(self.data) == len(self._whole):
            return index
        if not self._ends:
            pieces = range(0, len(self._whole), _MAPPED)
            self._ends = list(accumulate(sum(self._counting(start)) for start in pieces))
        piece = bisect_right(self._ends, index)
        if piece != self._mapped:
            start = piece * _MAPPED
            self._mapped, self._places = piece, list(compress(range(start, start + _MAPPED), self._counting(start)))
        return self._places[index - (self._ends[piece - 1] if piece else 0)]

    def _counting(self, start: int) -> bytes:
        return self._whole[start : start + _MAPPED].translate(_COUNTS)


def _find(data: bytearray, form: bytes, start: int) -> int:
    for begin in range(start, len(data) - len(form) + 1, _SEARCHED):
        found = data.find(form, begin, begin + _SEARCHED + len(form) - 1)
        if found >= 0:
            return found
    return -1


def _spans(data: bytearray, forms: list[tuple[bytes, bytes]]) -> Iterator[tuple[int, int, bytes]]:
    """Where any of them begins and ends, from the first to the last, those that overlap as one."""
    found = [(_find(data, form, 0), -len(form), form, shown) for form, shown in forms]
    heapq.heapify(found)
    start, end, shown = 0, 0, b""
    while found:
        at, _, form, its = found[0]
        if at >= end:
            if end:
                yield start, end, shown
            start, end, shown = at, at + len(form), its
        end = max(end, at + len(form))
        following = _find(data, form, max(at + 1, end - len(form) + 1))
        if following < 0:
            heapq.heappop(found)
        else:
            heapq.heapreplace(found, (following, -len(form), form, its))
    yield start, end, shown


def _overlap(left: bytes | bytearray, right: bytes | bytearray, most: int) -> int:
    """How many bytes at most the one ends, and the other begins with."""
    at = len(left) - min(len(left), len(right), most)
    while right and (at := left.find(right[:1], at)) >= 0:
        if right.startswith(left[at:]):
            return len(left) - at
        at += 1
    return 0


def _forms(value: str) -> Iterator[bytes]:
    plain = value.encode()
    yield from (each.encode() for each in (value, value.upper(), value.lower()))
    yield from (quote(value, safe=safe).encode() for safe in ("", "/"))
    yield quote_plus(value).encode()
    yield from (json.dumps(value, ensure_ascii=each)[1:-1].encode() for each in (True, False))
    yield json.dumps(value)[1:-1].replace("/", "\\/").encode()
    yield from (html.escape(value, quote=quotes).encode() for quotes in (True, False))
    yield from (repr(each)[1 + isinstance(each, bytes) : -1].encode() for each in (value, plain))
    yield from (plain.hex().encode(), plain.hex(":").encode())
    yield from (value.encode("utf-16-le"), value.encode("utf-16-be"))
    for before in range(3):
        yield from _base64(plain, before)


def _base64(plain: bytes, before: int) -> Iterator[bytes]:
    """What is the same in base64 of any text in which the secret has so many bytes, modulo 3, before it."""
    first, last = -(-8 * before // 6), 8 * (before + len(plain)) // 6
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(bytes(before) + plain)[first:last]

"""Secrets taken out of whatever a plugin says: as they are, and as programs write them down elsewhere.

    redactor = Redactor()
    redactor.mark("db", "correct horse")
    redactor.text("login failed for correct%20horse")    -> "login failed for [secret db]"

It finds what slips out: a URL in an error, a header in a log, a dump in evidence. A plugin that wants to give its
secret away can always write it in a way that nobody looks for; what holds it back is that it can reach nobody.
"""

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from assess_core.secrets import MIN_SECRET

Replaced = Mapping[bytes, bytes]


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
            self._forms.setdefault(form, shown)

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

    def data(self, data: bytes) -> bytes:
        """The bytes without any secret."""
        # Looked for one by one first: a pattern of all of them takes ten times as long to find none.
        present = sorted((form for form in self._forms if form in data), key=len, reverse=True)
        if not present:
            return data
        return re.sub(b"|".join(map(re.escape, present)), lambda found: self._forms[found[0]], data)

    def text(self, text: str) -> str:
        """The text without any secret."""
        if not self._forms:
            return text
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

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
        longest = max(map(len, self._forms), default=0)
        for size in range(min(longest, len(data)), 0, -1):
            start = data[:size]
            if any(len(form) > size and form.endswith(start) for form in self._forms):
                return data[size:]
        return data


def _forms(value: str) -> Iterator[bytes]:
    plain = value.encode()
    yield plain
    yield from (quote(value, safe=safe).encode() for safe in ("", "/"))
    yield quote_plus(value).encode()
    yield re.sub(rb"%[0-9A-F]{2}", lambda found: found[0].lower(), quote(value, safe="").encode())
    yield from (json.dumps(value, ensure_ascii=each)[1:-1].encode() for each in (True, False))
    yield json.dumps(value)[1:-1].replace("/", "\\/").encode()
    yield from (html.escape(value, quote=quotes).encode() for quotes in (True, False))
    yield from (repr(each)[1 + isinstance(each, bytes) : -1].encode() for each in (value, plain))
    yield from (plain.hex().encode(), plain.hex().upper().encode(), plain.hex(":").encode())
    yield from (value.encode("utf-16-le"), value.encode("utf-16-be"))
    for before in range(3):
        yield from _base64(plain, before)


def _base64(plain: bytes, before: int) -> Iterator[bytes]:
    """What is the same in base64 of any text in which the secret has so many bytes, modulo 3, before it."""
    first, last = -(-8 * before // 6), 8 * (before + len(plain)) // 6
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(bytes(before) + plain)[first:last]

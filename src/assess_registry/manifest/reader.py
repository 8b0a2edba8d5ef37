"""Typed values out of a parsed TOML table, every problem noted and none of them final.

A `Reader` hands back a placeholder for what it refuses, so that parsing goes on and the author sees all problems at
once; the caller must look at the shared list of issues before anything that was read may be used.

    issues: list[Issue] = []
    limits = Reader(table, "limits", issues)
    memory = limits.integer("memory_mib", low=16, high=65536, default=256)
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from assess_registry.errors import Issue

RULE = "docs/manifest.md"
"""Where every key, bound and example of an `assess-plugin.toml` is described."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SHOWN = 80

T = TypeVar("T")


def issue(kind: str, entry: str, message: str) -> Issue:
    """An issue of a manifest; `kind` completes its id."""
    return Issue(id=f"manifest-{kind}", entry=entry, message=message, rule=RULE)


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: what it was probably meant to be, or what there is."""
    known = tuple(known)
    close = difflib.get_close_matches(word[:_SHOWN], known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known) or '(none)'}"


def show(value: object) -> str:
    """A value as it may be printed: one line, escaped, short."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def join(path: str, key: str) -> str:
    """The key path of `key` below `path`, quoted where TOML would quote it."""
    return below(path, key if _BARE_KEY.match(key) else show(key))


def below(path: str, tail: str) -> str:
    """Two key paths as one; either may be empty."""
    return f"{path}{'.' if path and tail and tail[0] != '[' else ''}{tail}"


@dataclass(frozen=True, slots=True)
class Reader:
    """One table of the document, where it stands, and the list that collects what is wrong with it."""

    table: Mapping[str, Any]
    path: str
    issues: list[Issue]

    def refuse(self, kind: str, key: str, message: str) -> None:
        """Note a problem at a key path below this table, or of the table itself when it is empty."""
        self.issues.append(issue(kind, below(self.path, key), message))

    def only(self, known: Iterable[str]) -> None:
        """Refuse every key that is not in `known`."""
        known = tuple(known)
        for key in self.table:
            if key not in known:
                self.refuse("unknown-key", join("", key), f"there is no such key; {nearest(key, known)}")

    def text(self, key: str, *, max_chars: int, lines: int = 1) -> str:
        """A required text for people, without control or invisible characters, in at most `lines` lines."""
        value: str | None = self._take(key, str, "a string")
        if value is None:
            return ""
        if not value.strip() or len(value) > max_chars:
            self.refuse("bad-value", key, f"expected 1 to {max_chars} characters, got {len(value)}")
        parts = value.removesuffix("\n").split("\n") if lines > 1 else [value]
        if len(parts) > lines or not all(part.isprintable() for part in parts):
            limit = "one line" if lines == 1 else f"at most {lines} lines"
            self.refuse("bad-value", key, f"expected {limit} of printable characters, got {show(value)}")
        return value

    def parsed(self, key: str, parse: Callable[[str], T], placeholder: T) -> T:
        """A required string as `parse` understands it; its `ValueError` becomes the issue."""
        value = self._take(key, str, "a string")
        if value is None:
            return placeholder
        try:
            return parse(value)
        except ValueError as error:
            self.refuse("bad-value", key, str(error))
            return placeholder

    def integer(self, key: str, *, low: int, high: int, default: int) -> int:
        """An optional whole number from `low` to `high`."""
        value = self._take(key, int, "a whole number", required=False)
        return default if value is None else int(self._bounded(key, value, low, high))

    def number(self, key: str, *, low: float, high: float, default: float) -> float:
        """An optional number from `low` to `high`."""
        value = self._take(key, (int, float), "a number", required=False)
        return default if value is None else float(self._bounded(key, value, low, high))

    def boolean(self, key: str, *, default: bool) -> bool:
        """An optional true or false."""
        value = self.table.get(key, default)
        if not isinstance(value, bool):
            self.refuse("wrong-type", key, f"expected true or false, got {show(value)}")
            return default
        return value

    def items(self, key: str, parse: Callable[[Any], T], *, max_items: int) -> tuple[T, ...]:
        """An optional array, each item as `parse` understands it, none of them twice."""
        values = self._take(key, list, "an array", required=False) or []
        if len(values) > max_items:
            self.refuse("bad-value", key, f"expected at most {max_items} items, got {len(values)}")
        taken: dict[T, None] = {}
        for number, value in enumerate(values[:max_items]):
            try:
                item = parse(value)
            except ValueError as error:
                self.refuse("bad-value", f"{key}[{number}]", str(error))
            else:
                if item in taken:
                    self.refuse("duplicate", f"{key}[{number}]", f"{show(value)} stands in the array twice")
                taken[item] = None
        return tuple(taken)

    def table_of(self, key: str) -> "Reader":
        """An optional table; an empty one when it is absent."""
        value = self._take(key, dict, "a table", required=False)
        return Reader(value or {}, join(self.path, key), self.issues)

    def tables_of(self, key: str, *, max_items: int) -> Iterator["Reader"]:
        """The tables of an optional array of tables."""
        values = self._take(key, list, "an array of tables", required=False) or []
        if len(values) > max_items:
            self.refuse("bad-value", key, f"expected at most {max_items} tables, got {len(values)}")
        for number, value in enumerate(values[:max_items]):
            if isinstance(value, dict):
                yield Reader(value, f"{join(self.path, key)}[{number}]", self.issues)
            else:
                self.refuse("wrong-type", f"{key}[{number}]", f"expected a table, got {show(value)}")

    def _take(self, key: str, kind: type | tuple[type, ...], what: str, *, required: bool = True) -> Any:
        value = self.table.get(key)
        if value is None:
            if required:
                self.refuse("missing-key", key, f"this key is required: {what}")
        elif not isinstance(value, kind) or isinstance(value, bool):  # bool is an int to Python, not to TOML
            self.refuse("wrong-type", key, f"expected {what}, got {show(value)}")
        else:
            return value
        return None

    def _bounded(self, key: str, value: float, low: float, high: float) -> float:
        if low <= value <= high:
            return value
        self.refuse("bad-value", key, f"expected {low:g} to {high:g}, got {show(value)}")
        return low

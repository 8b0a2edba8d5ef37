"""JSON with one spelling for each value, and typed access to what it holds.

What is signed is bytes, what is understood is a value; where one value had two spellings, two readers could be shown
two things under one signature. So a document that is not exactly what `encode` writes is refused: keys sorted, no
blanks, no escape that is not needed, UTF-8, no key twice, no fractions.

    members = Members.of(decode(data, max_bytes=1 << 20), "catalogue", required=("schema", "project"))
    members.parsed("project", parse_project)
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn, Self, TypeVar

MAX_TEXT = 500
"""Characters of a text for people, such as the reason of a revocation."""

_SHOWN = 80

T = TypeVar("T")


def encode(value: object, *, max_bytes: int | None = None) -> bytes:
    """The one spelling of this value.

    Raises:
        ValueError: it is longer than its readers take, or holds a lone surrogate, or what is no JSON.
    """
    data = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    _check_size(data, max_bytes)
    return data


def decode(data: bytes, *, max_bytes: int) -> Any:
    """The value that `encode` wrote as these bytes.

    Raises:
        ValueError: too long, no JSON, or not in its one spelling.
    """
    _check_size(data, max_bytes)
    try:
        value = json.loads(data.decode("utf-8"), parse_float=_refuse, parse_constant=_refuse)
        again = encode(value)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    # A key that stands in an object twice is gone by now, so this finds that too.
    if again != data:
        raise ValueError("it is not in its one spelling: keys sorted, each once, no blanks, plain UTF-8")
    return value


def write_time(time: datetime) -> str:
    """The time in UTC with a `Z`; fractions of a second only where there are some.

    Raises:
        ValueError: it has no zone, and might be any of 26 hours.
    """
    return require_zone(time).astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """The time that `write_time` wrote so.

    Raises:
        ValueError: it is spelt in any other way.
    """
    wrong = ValueError(f"expected a time in UTC as in 2026-11-21T05:10:00Z, got {text[:_SHOWN]!r}")
    if not text.endswith("Z"):
        raise wrong
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise wrong from error
    if write_time(time) != text:
        raise wrong
    return time


def require_zone(time: datetime) -> datetime:
    """The same time, which has a zone.

    Raises:
        ValueError: it has none.
    """
    if time.utcoffset() is None:
        raise ValueError(f"{time.isoformat()} has no time zone")
    return time


def parse_text(text: str) -> str:
    """One line for people to read: 1 to 500 printable characters.

    Raises:
        ValueError: it is empty, longer, or holds what shows nothing and might hide or reorder the rest.
    """
    if not text.strip() or len(text) > MAX_TEXT or not text.isprintable():
        raise ValueError(f"expected one line of 1 to {MAX_TEXT} printable characters, got {text[:_SHOWN]!r}")
    return text


@dataclass(frozen=True, slots=True)
class Members:
    """The members of one JSON object, and where it stands."""

    values: Mapping[str, Any]
    path: str

    @classmethod
    def of(cls, value: object, path: str, *, required: Iterable[str], optional: Iterable[str] = ()) -> Self:
        """The object with exactly these members.

        Raises:
            ValueError: no object, a member too many, or one too few.
        """
        if not isinstance(value, dict):
            raise ValueError(f"{path}: expected an object, got {_shown(value)}")
        required = frozenset(required)
        if absent := sorted(required - value.keys()):
            raise ValueError(f"{path}: {', '.join(absent)}: missing")
        if unknown := sorted(value.keys() - required - frozenset(optional)):
            raise ValueError(f"{path}: {_shown(unknown)}: no such member")
        return cls(value, path)

    def at(self, key: str) -> str:
        """The path of a member."""
        return f"{self.path}.{key}"

    def parsed(self, key: str, parse: Callable[[str], T]) -> T:
        """A string as `parse` understands it."""
        value = self._take(key, str, "a string")
        try:
            return parse(value)
        except ValueError as error:
            raise ValueError(f"{self.at(key)}: {error}") from error

    def text(self, key: str) -> str:
        """One line for people to read."""
        return self.parsed(key, parse_text)

    def time(self, key: str) -> datetime:
        """A time in UTC."""
        return self.parsed(key, parse_time)

    def exactly(self, key: str, expected: object) -> None:
        """The member is this, of this very type."""
        value = self.values[key]
        if value != expected or type(value) is not type(expected):
            raise ValueError(f"{self.at(key)}: expected {_shown(expected)}, got {_shown(value)}")

    def integer(self, key: str, *, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self._take(key, int, "a whole number")
        if isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{self.at(key)}: expected {low} to {high}, got {_shown(value)}")
        return int(value)

    def boolean(self, key: str) -> bool:
        """True or false."""
        return bool(self._take(key, bool, "true or false"))

    def items(self, key: str, *, max_items: int) -> Iterator[tuple[Any, str]]:
        """The items of an array, each with its path."""
        values = self._take(key, list, "an array")
        if len(values) > max_items:
            raise ValueError(f"{self.at(key)}: expected at most {max_items} items, got {len(values)}")
        for number, value in enumerate(values):
            yield value, f"{self.at(key)}[{number}]"

    def strings(self, key: str, parse: Callable[[str], T], *, max_items: int) -> tuple[T, ...]:
        """The items of an array of strings."""
        return tuple(_string(value, path, parse) for value, path in self.items(key, max_items=max_items))

    def named(self, key: str, parse: Callable[[str], T], *, max_items: int) -> Iterator[tuple[T, Any, str]]:
        """The members of an object whose keys are data: name, value and path of each."""
        values = self._take(key, dict, "an object")
        if len(values) > max_items:
            raise ValueError(f"{self.at(key)}: expected at most {max_items} members, got {len(values)}")
        for name, value in values.items():
            yield _string(name, self.at(key), parse), value, f"{self.at(key)}.{name}"

    def _take(self, key: str, kind: type, what: str) -> Any:
        value = self.values[key]
        if not isinstance(value, kind):
            raise ValueError(f"{self.at(key)}: expected {what}, got {_shown(value)}")
        return value


def _check_size(data: bytes, max_bytes: int | None) -> None:
    if max_bytes is not None and len(data) > max_bytes:
        raise ValueError(f"expected at most {max_bytes} bytes, got {len(data)}")


def _string(value: object, path: str, parse: Callable[[str], T]) -> T:
    if not isinstance(value, str):
        raise ValueError(f"{path}: expected a string, got {_shown(value)}")
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:_SHOWN]} is not a whole number")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"

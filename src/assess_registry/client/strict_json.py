"""JSON from a stranger: one document, one meaning, or refused.

Python's reader takes the last of two equal keys, `NaN`, and UTF-16; other readers do not. A page that two readers
understand differently is a way to show the auditor one thing and the installer another.
"""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

MAX_DEPTH = 16
"""Levels of nesting; a PEP 691 page has 4, private keys may add some."""


def parse_json(data: bytes) -> Any:
    """The document in `data`, UTF-8 without a byte order mark (RFC 8259).

    Raises:
        ValueError: not JSON, a key twice in one object, NaN or infinity, or nested deeper than `MAX_DEPTH`.
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from error
    _check_depth(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice[:80]!r} occurs twice in one object")
    return result


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON (RFC 8259, 6)")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"number {text[:40]} is too large")
    return value


def _check_depth(value: Any) -> None:
    # Level by level, for a recursive walk would itself be at the mercy of the depth.
    level = _containers([value])
    for _ in range(MAX_DEPTH):
        level = _containers(
            child for parent in level for child in (parent.values() if isinstance(parent, dict) else parent)
        )
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]

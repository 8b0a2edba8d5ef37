"""JSON from a stranger: one document, one meaning, within bounds, or refused.

Python's reader takes the last of two equal keys, `NaN`, and UTF-16; other readers do not. A document that two readers
understand differently is a way to show the auditor one thing and the installer another.

    parse_json(b'{"a": 1}', max_depth=16)    ->    {"a": 1}
"""

import json
from collections.abc import Iterable
from typing import Any, NoReturn


def parse_json(data: bytes, *, max_depth: int, max_bytes: int | None = None) -> Any:
    """The document in `data`, UTF-8 without a byte order mark (RFC 8259).

    Args:
        data: all of it.
        max_depth: levels of nesting.
        max_bytes: None where whoever read it has bounded it already.

    Raises:
        ValueError: too large, not JSON, a key twice in one object, NaN or infinity, or nested too deeply.
    """
    if max_bytes is not None and len(data) > max_bytes:
        raise ValueError(f"it has {len(data)} bytes, more than {max_bytes}")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {max_depth} levels") from error
    _check_depth(value, max_depth)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {key[:80]!r} occurs twice in one object")
            seen.add(key)
    return result


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON (RFC 8259, 6)")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"number {text[:40]} is too large")
    return value


def _check_depth(value: Any, max_depth: int) -> None:
    # Level by level, for a recursive walk would itself be at the mercy of the depth.
    level = _containers([value])
    for _ in range(max_depth):
        level = _containers(
            child for parent in level for child in (parent.values() if isinstance(parent, dict) else parent)
        )
        if not level:
            return
    raise ValueError(f"nested deeper than {max_depth} levels")


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]

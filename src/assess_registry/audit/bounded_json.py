"""JSON from a stranger, read within bounds: one document, one meaning, a size, a depth.

parse_json(b'{"a": 1}', max_bytes=1 << 20)    ->    {"a": 1}
"""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

MAX_DEPTH = 40
"""Levels of nesting: CycloneDX nests components in components, tox needs six."""


def parse_json(data: bytes, *, max_bytes: int) -> Any:
    """The document in `data`, UTF-8 without a byte order mark (RFC 8259).

    Raises:
        ValueError: too large, not JSON, a key twice in one object, NaN or infinity, or nested too deeply.
    """
    if len(data) > max_bytes:
        raise ValueError(f"it has {len(data)} bytes, more than {max_bytes}")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg} in line {error.lineno}") from error
    level = _containers([value])
    for _ in range(MAX_DEPTH):
        level = _containers(each for one in level for each in (one.values() if isinstance(one, dict) else one))
    if level:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands in one object twice")
    return result


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON (RFC 8259, 6)")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]

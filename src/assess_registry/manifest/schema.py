"""JSON Schema for plugin settings: the part of draft 2020-12 that is finite, local and linear.

A schema comes out of a plugin's wheel, so it may not fetch anything (no `$ref`, and a retriever that refuses), may not
be misspelt (an unknown keyword would silently allow everything), may not be deep or large, and its patterns run in
linear time (the `regex` crate: no backtracking, no back references).

    problems({"type": "string", "minLength": 3}, "ab")    ->    [("", '"ab" is shorter than 3 characters')]
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import jsonschema_rs

from assess_registry.manifest.reader import below, join, nearest, show

MAX_SCHEMA_DEPTH = 8
MAX_SCHEMA_NODES = 500
"""Values in one setting's schema: far more than a form for people has."""

MAX_VALUE_DEPTH = 16
_MAX_REGEX_BYTES = 1 << 20
"""Of a compiled pattern; the crate's own limit is ten times that."""

_MAX_PROBLEMS = 20
_MAX_MESSAGE = 300

_ONE = frozenset(
    (
        "additionalProperties",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    )
)
_LIST = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_MAP = frozenset(("dependentSchemas", "patternProperties", "properties"))
_PLAIN = (
    frozenset(("type", "enum", "const", "title", "description", "deprecated", "examples", "format", "pattern"))
    | frozenset(("minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"))
    | frozenset(("minItems", "maxItems", "uniqueItems", "minContains", "maxContains"))
    | frozenset(("required", "dependentRequired", "minProperties", "maxProperties"))
)
SCHEMA_KEYWORDS = tuple(sorted(_ONE | _LIST | _MAP | _PLAIN))
"""The keywords a setting's schema may use."""

Problem = tuple[str, str]
"""Key path below the setting (empty for the setting itself) and what is wrong there."""


def schema_problems(schema: Mapping[str, Any]) -> list[Problem]:
    """What makes this schema unfit for a setting; empty when it can be used with `problems`."""
    found = list(_json_problems(schema, "", MAX_SCHEMA_DEPTH * 2))
    if not found and (nodes := _count(schema)) > MAX_SCHEMA_NODES:
        found = [("", f"expected at most {MAX_SCHEMA_NODES} values in a schema, got {nodes}")]
    found = found or list(_keyword_problems(schema, "", MAX_SCHEMA_DEPTH))
    if found:
        return found
    try:
        _compile(schema)
    except ValueError as error:  # what the library raises for every kind of bad schema
        return [("", f"this is no valid JSON Schema (draft 2020-12): {_first_line(error)}")]
    return []


def problems(schema: Mapping[str, Any], value: object, *, secret: bool = False) -> list[Problem]:
    """Where and why `value` is not what `schema` describes; of a secret the reason names the keyword only."""
    found = list(_json_problems(value, "", MAX_VALUE_DEPTH))
    if found:
        return [("", "expected a JSON value")] if secret else found
    for error in _compile(schema).iter_errors(value):
        path = ""
        for step in error.instance_path:
            path = below(path, f"[{step}]") if isinstance(step, int) else join(path, step)
        if secret:
            found.append(("", f"the value does not satisfy {error.kind.name!r} of its schema"))
        else:
            found.append((path, _first_line(error)))
        if len(found) == _MAX_PROBLEMS:
            break
    return found


def _compile(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        dict(schema),
        retriever=_refuse,
        pattern_options=jsonschema_rs.RegexOptions(size_limit=_MAX_REGEX_BYTES),
        validate_formats=True,
        ignore_unknown_formats=False,
    )


def _refuse(uri: str) -> NoReturn:
    # The second wall: `$ref` is no keyword here, so nothing should ever ask.
    raise ValueError(f"a setting's schema may not refer to {uri}")


def _keyword_problems(schema: object, path: str, depth: int) -> Iterator[Problem]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        yield path, f"expected a schema (a table, or true or false), got {show(schema)}"
        return
    if depth == 0:
        yield path, f"expected at most {MAX_SCHEMA_DEPTH} schemas inside each other"
        return
    for key, value in schema.items():
        if key not in SCHEMA_KEYWORDS:
            yield join(path, key), f"there is no such schema keyword here; {nearest(key, SCHEMA_KEYWORDS)}"
        for place, inner in _subschemas(key, value):
            yield from _keyword_problems(inner, below(join(path, key), place), depth - 1)


def _subschemas(key: str, value: object) -> Iterator[tuple[str, object]]:
    if key in _ONE:
        yield "", value
    elif key in _LIST and isinstance(value, list):
        yield from ((f"[{number}]", inner) for number, inner in enumerate(value))
    elif key in _MAP and isinstance(value, Mapping):
        yield from ((join("", name), inner) for name, inner in value.items())


def _json_problems(value: object, path: str, depth: int) -> Iterator[Problem]:
    """What JSON cannot say (a date, NaN, infinity, half a character), or says too deeply."""
    if depth < 0:
        yield path, "values stand too deep inside each other"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str) or not _encodable(key):
                yield path, f"expected text as keys, got {show(key)}"
            else:
                yield from _json_problems(inner, join(path, key), depth - 1)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _json_problems(inner, f"{path}[{number}]", depth - 1)
    elif not _is_scalar(value):
        yield path, f"expected a JSON value, got {show(value)}"


def _is_scalar(value: object) -> bool:
    match value:
        case None | bool() | int():
            return True
        case float():
            return math.isfinite(value)
        case str():
            return _encodable(value)
    return False


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _count(value: object) -> int:
    if isinstance(value, Mapping):
        return 1 + sum(map(_count, value.values()))
    return 1 + sum(map(_count, value)) if isinstance(value, list | tuple) else 1


def _first_line(error: ValueError) -> str:
    lines = str(getattr(error, "message", error)).splitlines() or [type(error).__name__]
    return lines[0][:_MAX_MESSAGE]

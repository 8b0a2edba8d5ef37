"""JSON that a registry sent, within the bounds of its pages."""

from typing import Any

from assess_registry import strict_json

MAX_DEPTH = 16
"""Levels of nesting; a PEP 691 page has 4, private keys may add some."""


def parse_json(data: bytes) -> Any:
    """The document in `data`, UTF-8 without a byte order mark (RFC 8259).

    Raises:
        ValueError: not JSON, a key twice in one object, NaN or infinity, or nested deeper than `MAX_DEPTH`.
    """
    return strict_json.parse_json(data, max_depth=MAX_DEPTH)

"""Values from anywhere as every JSON reader takes them.

What JSON or its readers cannot hold is replaced, so that there is always one valid document: lone surrogates by U+FFFD,
numbers that are not finite or exceed 64 bits by text.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
_INT64 = range(-(2**63), 2**63)


def valid(value: Any) -> Any:
    """The value, with everything replaced that not every JSON reader takes."""
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case bool() | None:
            return value
        case int():
            return value if value in _INT64 else hex(value)  # hex: decimal digits of a huge integer are refused
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {str(valid(str(key))): valid(item) for key, item in value.items()}
        case list() | tuple():
            return [valid(item) for item in value]
        case _:
            return valid(str(value))

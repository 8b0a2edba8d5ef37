"""JSON of this store's own files: whatever is in one, it is a value or a ValueError.

json_of(b'{"layout": 2}')    ->    {"layout": 2}
"""

import json
from typing import Any


def json_of(data: bytes) -> Any:
    """The document in `data`.

    Raises:
        ValueError: it is none, or is nested deeper than Python's reader goes.
    """
    try:
        return json.loads(data)
    except RecursionError as error:  # else one damaged record of one plugin would end every command
        raise ValueError("nested too deeply") from error

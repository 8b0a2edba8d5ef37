"""A command that was run, as who typed it sees it."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ended:
    """Its exit code, and what it printed where."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as the one JSON document it has to be."""
        value = json.loads(self.stdout)
        assert value["schema"] == 1
        assert isinstance(value, dict)
        return value

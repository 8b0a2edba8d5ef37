"""Why a request comes to nothing, before the operating system was asked or in place of it."""

from collections.abc import Mapping
from typing import Any


class DeniedError(Exception):
    """It is not permitted; the message names the line that would permit it.

    Attributes:
        noted: what its record says beyond what was asked.
    """

    def __init__(self, message: str, noted: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.noted = noted or {}


class ImproperError(Exception):
    """It is permitted, and cannot be done."""

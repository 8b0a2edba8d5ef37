"""What the doctor says: one line for each thing that was looked at."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]
"""`ok`: as it should be. `warn`: it works, and something is to be looked after or takes usual protection away. `fail`:
plugins do not run, or not so as configured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What was found about one thing.

    Attributes:
        fix: what to do; empty when nothing is to be done.
    """

    topic: str
    state: State
    text: str
    fix: str = ""

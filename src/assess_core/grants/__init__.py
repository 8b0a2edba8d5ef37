"""What a plugin may do here: what its manifest asks, narrowed by what the operator grants. Pure."""

from assess_core.grants.compose import Grant, granted, refusals, warnings
from assess_core.grants.growth import Growth, growth_of
from assess_core.grants.values import KEYS, Ceiling, Withheld, written

__all__ = [
    "KEYS",
    "Ceiling",
    "Grant",
    "Growth",
    "Withheld",
    "granted",
    "growth_of",
    "refusals",
    "warnings",
    "written",
]

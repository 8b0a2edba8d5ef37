"""What a key is for. A key has one role: whoever steals it gets that and nothing else."""

from collections.abc import Iterable
from typing import Literal, get_args

from assess_registry.keys.public import PublicKey

Role = Literal["root", "release", "online", "audit", "reviewer", "publisher"]
ROLES: tuple[Role, ...] = get_args(Role)
"""root: says who the others are. release: says what is published (TUF targets). online: says what is current (TUF
snapshot, timestamp). audit: approves where policy allows it. reviewer: approves. publisher: signs wheels."""


def check_distinct(uses: Iterable[tuple[str, PublicKey]]) -> None:
    """No key is used twice, under one description or two.

    Raises:
        ValueError: one is; the message names both uses.
    """
    seen: dict[bytes, str] = {}
    for use, key in uses:
        if key.raw in seen:
            raise ValueError(f"{use} and {seen[key.raw]} are one key, {key.id}; every use needs a key of its own")
        seen[key.raw] = use

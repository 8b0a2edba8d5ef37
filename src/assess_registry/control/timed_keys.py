"""Keys with their times, as the members of a control file."""

from collections.abc import Iterable
from typing import Any

from assess_registry.canonical import Members, write_time
from assess_registry.keys import TimedKey, parse_base64_key

MAX_KEYS = 100
"""Of one person: more than a registry.toml of its greatest size holds for everybody."""


def read_keys(table: Members) -> tuple[TimedKey, ...]:
    """The member `keys` of an object.

    Raises:
        ValueError: it is no list of keys, or one of them is not safe.
    """
    return tuple(_timed_key(*item) for item in table.items("keys", max_items=MAX_KEYS))


def _timed_key(value: object, path: str) -> TimedKey:
    table = Members.of(value, path, required=("public", "from"), optional=("until", "revoked"))
    return TimedKey(
        key=table.parsed("public", parse_base64_key),
        valid_from=table.time("from"),
        valid_until=table.time("until") if "until" in table.values else None,
        revoked=table.text("revoked") if "revoked" in table.values else "",
    )


def key_tables(keys: Iterable[TimedKey]) -> list[dict[str, Any]]:
    """The list that `read_keys` reads."""
    return [
        {"public": timed.key.base64(), "from": write_time(timed.valid_from)}
        | ({"until": write_time(timed.valid_until)} if timed.valid_until else {})
        | ({"revoked": timed.revoked} if timed.revoked else {})
        for timed in keys
    ]

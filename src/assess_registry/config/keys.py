"""Arrays of tables `[[….keys]]` become keys with their times; every mistake is noted in the readers' issues.

    [[publishers.acme.keys]]
    public = "f0Hd…="                  # base64 of the raw 32 bytes
    from = 2026-11-21T05:10:00Z
    until = 2027-11-21T05:10:00Z       # optional: replaced, or with `revoked` not to be believed any more, since then
    revoked = "laptop stolen"          # optional

A key belongs to one name in one role. Whoever could sign as publisher and as reviewer would approve their own work, and
a key that two people share says of neither that they signed.
"""

from datetime import datetime

from assess_registry.keys import TimedKey, parse_base64_key
from assess_registry.manifest.reader import Reader, show

KEY_KEYS = ("public", "from", "until", "revoked")
MAX_KEYS = 100
"""Of one holder, old ones included."""

_MAX_REASON = 500


def read_keys(table: Reader, holders: dict[bytes, str]) -> tuple[TimedKey, ...]:
    """The `keys` of this table; `holders` remembers whose each key is, over all tables of the file."""
    given = table.table.get("keys")
    if isinstance(given, list) and any(isinstance(each, str) for each in given):
        message = "expected tables with public and from, which `assess-registry keys add` writes, got strings"
        table.refuse("wrong-type", "keys", message)
        return ()
    found: list[TimedKey] = []
    for each in table.tables_of("keys", max_items=MAX_KEYS):
        timed = _timed(each)
        if timed is None:
            continue
        holder = holders.setdefault(timed.key.raw, table.path)
        if holder != table.path:
            each.refuse("duplicate", "", f"{timed.key.id} is a key of {holder} too; a key has one holder in one role")
        elif any(timed.key == other.key for other in found):
            each.refuse("duplicate", "", f"{timed.key.id} stands here twice; a key has one table with all its times")
        found.append(timed)
    return tuple(found)


def _timed(table: Reader) -> TimedKey | None:
    before = len(table.issues)
    table.only(KEY_KEYS)
    key = table.parsed("public", parse_base64_key, None)
    valid_from, valid_until = _time(table, "from", required=True), _time(table, "until", required=False)
    revoked = table.text("revoked", max_chars=_MAX_REASON) if "revoked" in table.table else ""
    if key is None or valid_from is None or len(table.issues) > before:
        return None
    try:
        return TimedKey(key=key, valid_from=valid_from, valid_until=valid_until, revoked=revoked)
    except ValueError as error:
        table.refuse("bad-value", "", str(error))
        return None


def _time(table: Reader, key: str, *, required: bool) -> datetime | None:
    value = table.table.get(key)
    if value is None and not required:
        return None
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value
    got = "nothing" if value is None else str(value) if isinstance(value, datetime) else show(value)
    message = f"expected a time with its zone, without quotes, as in 2026-11-21T05:10:00Z, got {got}"
    table.refuse("missing-key" if value is None else "bad-value", key, message)
    return None

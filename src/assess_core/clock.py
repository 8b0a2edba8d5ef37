"""The wall clock, for whoever is not given another one."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """What time it is, aware."""
    return datetime.now(UTC)

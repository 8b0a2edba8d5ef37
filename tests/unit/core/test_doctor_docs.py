"""docs/doctor.md and docs/interpreters.md name what there is: every topic, bound and place."""

import re
from pathlib import Path

from assess_core.doctor import disk, journal, registry
from assess_core.doctor.examine import TOPICS
from assess_core.store.interpreters import MEMORY, PLACES

DOCS = Path(__file__).parents[3] / "docs"
DOCTOR = (DOCS / "doctor.md").read_text()
INTERPRETERS = (DOCS / "interpreters.md").read_text()


def test_every_topic_has_a_row() -> None:
    rows = set(re.findall(r"`([a-z]+)`", "".join(re.findall(r"^\| (`[^|]+) \|", DOCTOR, re.MULTILINE))))
    assert {name for name, _ in TOPICS} - {"plugins"} <= rows
    assert rows - {name for name, _ in TOPICS} == {"configuration", "user", "kernel", "start", "keys"}


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"less than {disk.LOW_BYTES >> 30} GiB or {disk.LOW_INODES:,} inodes" in DOCTOR
    assert f"less than {disk.NO_BYTES >> 20} MiB or {disk.NO_INODES:,} inodes" in DOCTOR
    assert f"beyond {journal.LARGE_WAL_BYTES >> 20} MiB" in DOCTOR
    assert f"expires within {registry.SOON_OTHERS.days} days, the timestamp within one" in DOCTOR
    assert registry.SOON["timestamp"].days == 1


def test_every_place_that_is_looked_in_is_named() -> None:
    assert re.findall(r"`([/~][^`]*/bin)`", INTERPRETERS) == list(PLACES)
    assert f"`{MEMORY}`" in INTERPRETERS

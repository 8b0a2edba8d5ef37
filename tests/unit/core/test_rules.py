"""What stands in assess.toml is what a scheduler goes by."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from assess_core.config import parse
from assess_core.configured import rules_of
from assess_core.schedule.jitter import offset

TEXT = b"""
[runtime]
id = "web-01"
tz = "Europe/Berlin"
[registry]
url = "file:registry"
root = "1.root.json"
[[assessments]]
id = "host"
plugin = "p"
provider = "q"
schedule = "every 15m"
overlap = "queue"
misfire = "skip"
grace_s = 5
[[assessments]]
id = "night"
plugin = "p"
provider = "q"
schedule = "30 2 * * *"
jitter = "10m"
[[assessments]]
id = "there"
plugin = "p"
provider = "q"
schedule = "30 2 * * *"
tz = "UTC"
[[assessments]]
id = "asked"
plugin = "p"
provider = "q"
[[assessments]]
id = "off"
plugin = "p"
provider = "q"
schedule = "every 1s"
enabled = false
[[maintenance]]
id = "patching"
opens = "0 22 * * SAT"
duration = "4h"
assessments = ["h*"]
[[maintenance]]
id = "move"
from = 2027-03-27T22:00:00+01:00
until = 2027-03-28T06:00:00+02:00
when = "skip"
"""


def test_each_key_says_what_it_says() -> None:
    host, night, there, asked = rules_of(parse(TEXT, Path("/etc/assess.toml")))
    assert (host.runtime, host.assessment, host.overlap, host.misfire) == ("web-01", "host", "queue", "skip")
    assert host.grace == timedelta(seconds=5)
    assert host.offset == offset("web-01", "host", timedelta(seconds=90)) > timedelta(0)
    assert night.offset == offset("web-01", "night", timedelta(minutes=10)) > timedelta(0)
    assert (there.offset, asked.offset, asked.spec) == (timedelta(0), timedelta(0), None)
    assert night.spec is not None
    assert there.spec is not None
    moment = datetime(2027, 1, 10, tzinfo=UTC)
    assert night.spec.times.after(moment) == datetime(2027, 1, 10, 1, 30, tzinfo=UTC)
    assert there.spec.times.after(moment) == datetime(2027, 1, 10, 2, 30, tzinfo=UTC)
    assert [[window.id for window in rule.windows] for rule in (host, night)] == [["patching", "move"], ["move"]]
    patching, move = host.windows
    saturday = datetime(2027, 1, 9, 21, 30, tzinfo=UTC)  # 22:30 in Berlin
    assert patching.end_at(saturday) == datetime(2027, 1, 10, 1, tzinfo=UTC)
    assert move.end_at(datetime(2027, 3, 28, 3, 59, tzinfo=UTC)) == datetime(2027, 3, 28, 4, tzinfo=UTC)
    assert move.end_at(datetime(2027, 3, 28, 4, tzinfo=UTC)) is None


def test_what_is_written_the_same_is_asked_once() -> None:
    more = TEXT.replace(b'schedule = "every 1s"\nenabled = false', b'schedule = "every 15m"')
    host, _, _, _, also = rules_of(parse(more, Path("/etc/assess.toml")))
    assert also.spec is host.spec

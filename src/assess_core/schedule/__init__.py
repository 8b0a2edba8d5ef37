"""When assessments are due, and what becomes of every due time: exactly one fate each.

`times` and `spec` say when, `windows` when not, `jitter` how far apart; `decide` is the law and reads no clock;
`scheduler` is the loop that applies it, through a `ScheduleStore`.
"""

from assess_core.schedule.spec import Spec, parse_duration, parse_schedule, parse_zone
from assess_core.schedule.times import Cron, Every, Times, forget_zones, latest, upcoming

__all__ = [
    "Cron",
    "Every",
    "Spec",
    "Times",
    "forget_zones",
    "latest",
    "parse_duration",
    "parse_schedule",
    "parse_zone",
    "upcoming",
]

"""When assessments are due, and what becomes of every due time: exactly one fate each.

`times` and `spec` say when, `windows` when not, `jitter` how far apart; `decide` is the law and reads no clock;
`scheduler` is the loop that applies it, through a `ScheduleStore`.
"""

from assess_core.schedule.spec import Spec, parse_duration, parse_schedule, parse_zone
from assess_core.schedule.store import Asked, Claim, Cursor, Due, Kept, Row, ScheduleStore, Skip, SkipWhy, State, Why
from assess_core.schedule.times import Cron, Every, Times, forget_zones, latest, upcoming

__all__ = [
    "Asked",
    "Claim",
    "Cron",
    "Cursor",
    "Due",
    "Every",
    "Kept",
    "Row",
    "ScheduleStore",
    "Skip",
    "SkipWhy",
    "Spec",
    "State",
    "Times",
    "Why",
    "forget_zones",
    "latest",
    "parse_duration",
    "parse_schedule",
    "parse_zone",
    "upcoming",
]

"""When assessments are due, and what becomes of every due time: exactly one fate each.

`times` and `spec` say when, `windows` when not, `jitter` how far apart; `decide` is the law and reads no clock; `store`
says what is kept; `entry` is one assessment between the two; `scheduler` is the loop that applies the law, and is
imported by itself: who only reads a configuration has no use for a loop.
"""

from assess_core.schedule.decide import Agenda, Decision, Misfire, Overlap, Rule, decide, next_look_at
from assess_core.schedule.jitter import offset, usual_jitter
from assess_core.schedule.spec import Spec, parse_duration, parse_schedule, parse_zone
from assess_core.schedule.store import Asked, Claim, Cursor, Due, Kept, Row, ScheduleStore, Skip, SkipWhy, State, Why
from assess_core.schedule.telling import WHYS, Planned
from assess_core.schedule.times import Cron, Every, Times, forget_zones, latest, upcoming, zone_of
from assess_core.schedule.windows import Open, Window, open_at, over_at

__all__ = [
    "WHYS",
    "Agenda",
    "Asked",
    "Claim",
    "Cron",
    "Cursor",
    "Decision",
    "Due",
    "Every",
    "Kept",
    "Misfire",
    "Open",
    "Overlap",
    "Planned",
    "Row",
    "Rule",
    "ScheduleStore",
    "Skip",
    "SkipWhy",
    "Spec",
    "State",
    "Times",
    "Why",
    "Window",
    "decide",
    "forget_zones",
    "latest",
    "next_look_at",
    "offset",
    "open_at",
    "over_at",
    "parse_duration",
    "parse_schedule",
    "parse_zone",
    "upcoming",
    "usual_jitter",
    "zone_of",
]

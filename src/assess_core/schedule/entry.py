"""One assessment in the scheduler's hands: its rule, what is decided of it, and what of that is on the disk.

Looking at an entry changes nothing: it says what would have to be written. Only when that is on the disk does the entry
become what was decided (`settle`), so that a claim that fails leaves everything open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from assess_core.results import run_id
from assess_core.schedule.ahead import Ahead
from assess_core.schedule.decide import Agenda, Decision, Rule, decide, next_look_at
from assess_core.schedule.spec import parse_key
from assess_core.schedule.store import Cursor, Due, Row, Skip, SkipWhy
from assess_core.schedule.times import SECOND, Times, latest

_NOT_FOLLOWED = "not done: the runtime that is up follows no configuration in which there is such an assessment"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What a look at one assessment decided, and what has to be written for it."""

    name: str
    decision: Decision
    cursor: Cursor | None
    forgotten: bool
    rows: tuple[Row, ...]
    dropped: tuple[str, ...]
    skips: tuple[Skip, ...]

    def __bool__(self) -> bool:
        return bool(self.cursor or self.forgotten or self.rows or self.dropped or self.skips)


@dataclass(kw_only=True, slots=True)
class Entry:
    """One assessment.

    Attributes:
        rule: None when it is not configured any more; what runs of it may end.
        ahead: answers as the rule's times do; None if it is due only when somebody asks.
        kept_cursor, kept_rows: what is on the disk.
        lost: due times that have no run, and why; not told of yet.
        left, gone: of a schedule that counts no more: the due time that is a run still, and those that are none.
        look_at: when there is something to decide.
    """

    name: str
    rule: Rule | None
    ahead: Ahead | None
    agenda: Agenda
    kept_cursor: Cursor | None = None
    kept_rows: dict[str, Row] = field(default_factory=dict)
    lost: tuple[tuple[Due, SkipWhy], ...] = ()
    left: Due | None = None
    gone: tuple[Skip, ...] = ()
    look_at: datetime | None = None

    def follow(self, rule: Rule | None, now: datetime) -> None:
        """From now on it goes by this rule.

        Another schedule begins now, as nothing of it was missed before. What was due by the one before, and has no fate
        yet, is one run still, with its jitter, and else told of.
        """
        spec = rule.spec if rule is not None else None
        before = self._key_before()
        if before is not None and (spec is None or before != spec.key):
            self._close(rule, now)
        if spec is not None and before != spec.key:
            self.agenda = replace(self.agenda, cursor=now)
        self.ahead = Ahead(spec.times) if spec is not None else None
        self.rule = rule

    def _key_before(self) -> str | None:
        """Of the schedule that it goes by, or an earlier process did."""
        if self.rule is not None:
            return self.rule.spec.key if self.rule.spec is not None else None
        return self.kept_cursor.spec if self.kept_cursor is not None and not self.gone else None

    def _close(self, rule: Rule | None, now: datetime) -> None:
        """What was due until now by the schedule that counts no more is known."""
        times: Times | None = self.ahead
        if times is None and self.kept_cursor is not None and (spec := parse_key(self.kept_cursor.spec)) is not None:
            times = spec.times
        last = latest(times, self.agenda.cursor, now) if times is not None else None
        first = times.after(self.agenda.cursor) if times is not None else None
        if last is None or first is None or times is None:
            return
        if rule is None or rule.spec is None:
            self._gone(first, last, "removed")
            return
        if first != last:
            self._gone(first, latest(times, first - SECOND, last - SECOND) or first, "missed")
        offset = (self.rule or rule).offset
        if rule.misfire == "skip" and now - last - offset > rule.grace:
            self._gone(last, last, "misfire")
            return
        if self.left is not None:
            self._gone(self.left.due_at, self.left.due_at, "replaced")
        self.left = Due(
            run_id=run_id(rule.runtime, self.name, last),
            assessment=self.name,
            due_at=last,
            start_at=last + offset,
            claimed_at=now,
        )

    def _gone(self, first: datetime, last: datetime, why: SkipWhy) -> None:
        self.gone += (Skip(assessment=self.name, first_at=first, last_at=last, why=why),)

    def look(self, now: datetime, asked: Sequence[Due] = ()) -> Change:
        """What becomes of everything that was due by now."""
        asked = (*((self.left,) if self.left is not None else ()), *asked)
        decision = self._without_rule(asked) if self.rule is None else self._by_rule(self.rule, now, asked)
        spec = self.rule.spec if self.rule is not None else None
        cursor = Cursor(assessment=self.name, spec=spec.key, at=decision.agenda.cursor) if spec is not None else None
        rows = decision.agenda.rows()
        return Change(
            name=self.name,
            decision=decision,
            cursor=cursor if cursor != self.kept_cursor else None,
            forgotten=cursor is None and self.kept_cursor is not None,
            rows=tuple(row for run_id, row in rows.items() if self.kept_rows.get(run_id) != row),
            dropped=tuple(run_id for run_id in self.kept_rows if run_id not in rows),
            skips=(*self.gone, *decision.skips, *(skip_of(due, why) for due, why in self.lost)),
        )

    def _by_rule(self, rule: Rule, now: datetime, asked: Sequence[Due]) -> Decision:
        return decide(rule, self.agenda, now, asked=asked, times=self.ahead)

    def _without_rule(self, asked: Sequence[Due]) -> Decision:
        """Nothing begins any more; what waits is given up, and of what is asked for that is recorded."""
        waiting = [due for due in (self.agenda.waiting, self.agenda.held) if due is not None]
        gone = [*self.agenda.again, *waiting, *asked]
        starts = tuple(replace(due, problem=_NOT_FOLLOWED) for due in gone if due.why == "request")
        return Decision(
            agenda=Agenda(cursor=self.agenda.cursor, running=(*self.agenda.running, *starts)),
            starts=starts,
            skips=tuple(skip_of(due, "removed") for due in gone if due.why == "schedule"),
        )

    def settle(self, change: Change, recorded: frozenset[str]) -> tuple[Due, ...]:
        """The change is on the disk; what begins. `recorded` are run ids that had been recorded before."""
        agenda = change.decision.agenda
        for name in recorded & agenda.rows().keys():
            agenda = agenda.without(name)
        self.agenda = agenda
        self.kept_rows = agenda.rows()
        self.kept_cursor = None if change.forgotten else change.cursor or self.kept_cursor
        self.lost, self.gone, self.left = (), (), None
        return tuple(due for due in change.decision.starts if due.run_id not in recorded)

    def ended(self, due: Due, *, failed: str = "") -> None:
        """The run is over: recorded, and with it its row gone; or left as it is for another process; or failed.

        What somebody asked for, and what has failed is recorded as that, if that does not fail, too.
        """
        self.agenda = self.agenda.without(due.run_id)
        if failed and due.why == "request" and not due.problem:
            self.agenda = replace(self.agenda, again=(*self.agenda.again, replace(due, problem=f"not done: {failed}")))
        elif failed:
            self.lost += ((due, "failed"),)
        else:
            self.kept_rows.pop(due.run_id, None)

    def again(self, due: Due) -> None:
        """The run ended and could not be recorded; it is due as before, and begins again as soon as it may."""
        self.ended(due)
        self.agenda = replace(self.agenda, again=(*self.agenda.again, due))
        # Not what is on the disk, so that it is put once more: if it was recorded after all, the claim says so.
        self.kept_rows[due.run_id] = Row(due=due, state="queued")

    def plan(self, now: datetime) -> None:
        """Know what comes next, and when to look."""
        if self.ahead is not None:
            self.ahead.look(self.agenda.cursor)
        self.look_at = next_look_at(self.rule, self.agenda, now, self.ahead) if self.rule is not None else None

    @property
    def goes_by_a_zone(self) -> bool:
        """Whether what it remembers of the future may be wrong when zones are read again."""
        return self.rule is not None and self.rule.spec is not None and self.rule.spec.zone not in ("", "UTC")

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left of it to wait for."""
        return self.rule is None and not self.agenda.rows() and not self.kept_rows and self.kept_cursor is None


def skip_of(due: Due, why: SkipWhy) -> Skip:
    """The fate of one due time that has no run."""
    return Skip(assessment=due.assessment, first_at=due.due_at, last_at=due.due_at, why=why)

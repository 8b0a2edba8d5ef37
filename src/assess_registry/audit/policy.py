"""What the policy makes of findings: a verdict for each, one for the wheel, and reasons a person reads in a minute.

    rule by id  >  rule by severity  >  a note;       then acceptances, which have an owner, a reason and an end

Two things no rule can switch off. What strict inspection refused is rejected: nothing could be published anyway. And a
check that did not look at everything flags the wheel, whatever its severities say, unless that very check's
incompleteness is accepted: an audit that was not done must not read like one that found nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase

from assess_registry.audit.values import Examination, Finding, Judged, Verdict
from assess_registry.config import Acceptance, Policy, Publisher, Targets
from assess_registry.config.policy import INCOMPLETE
from assess_registry.config.values import canonical_policy, digest_of
from assess_registry.manifest import SEVERITIES
from assess_registry.names import Sha256

STRUCTURE = "structure"
"""Name of strict inspection among the checks."""

MAX_REASONS = 20
"""More are not read in a minute; the findings themselves are all in the report."""

MAX_PLACE, MAX_MESSAGE = 120, 300
"""Characters of a place and a message in a reason; a wheel chooses how long its names are."""

MAX_ACCEPTED_DAYS = 366
"""Beyond a year nobody remembers why. The day is counted from the one that an audit is about, not from today."""

_RANK = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """The part of a report that is the policy's."""

    verdict: Verdict
    reasons: tuple[str, ...]
    judged: tuple[Judged, ...]


def judge(examinations: Iterable[Examination], *, policy: Policy, project: str, as_of: date) -> Judgement:
    """Every finding and every incomplete check has its verdict, and the strictest of them is the wheel's.

    Args:
        examinations: of all checks; their order is kept.
        policy: the rules.
        project: whose wheel it is, for acceptances.
        as_of: the day for expiries.
    """
    judged = tuple(
        _judge(finding, examination.check, policy=policy, project=project, as_of=as_of)
        for examination in examinations
        for finding in (*examination.findings, *_incompletes(examination))
    )
    verdict = max((each.verdict for each in judged), key=_RANK.__getitem__, default=Verdict.APPROVED)
    return Judgement(verdict=verdict, reasons=tuple(_reasons(judged)), judged=judged)


def overlong_acceptances(policy: Policy, *, as_of: date) -> tuple[str, ...]:
    """A sentence for each acceptance that lasts longer than any may, which `judge` would not heed."""
    return tuple(
        f"policy.accept[{number}].expires: {each.expires} is too far: {_at_most(as_of)}"
        for number, each in enumerate(policy.accept)
        if _is_overlong(each, as_of)
    )


def policy_sha256(policy: Policy, publishers: Iterable[Publisher], targets: Targets) -> Sha256:
    """Digest of everything in the configuration that a verdict may depend on; the order it was written in is not."""
    people = {
        each.name: {"keys": sorted(timed.key.id for timed in each.keys), "projects": sorted(each.projects)}
        for each in sorted(publishers, key=lambda each: each.name)
    }
    where = {"pythons": sorted(targets.pythons), "platforms": sorted(targets.platforms)}
    return digest_of({"policy": canonical_policy(policy), "publishers": people, "targets": where})


def _incompletes(examination: Examination) -> Iterator[Finding]:
    for sentence in examination.incomplete:
        yield Finding(
            id=INCOMPLETE,
            severity="medium",
            entry="",
            message=sentence,
            advice=f"repair it and audit again, or accept it for a time: check = {examination.check!r}",
            rule="docs/policy.md: a check that did not look at everything",
        )


def _judge(finding: Finding, check: str, *, policy: Policy, project: str, as_of: date) -> Judged:
    verdict, rule = _ruled(finding, check, policy)
    if check == STRUCTURE or verdict is Verdict.APPROVED:
        return Judged(finding=finding, check=check, verdict=verdict, reason=rule)
    matching = [each for each in policy.accept if _accepts(each, finding, check, project)]
    usable = [each for each in matching if not _is_overlong(each, as_of)]
    latest = max(usable or matching, key=lambda each: (each.expires, each.owner, each.reason), default=None)
    if latest is None:
        return Judged(finding=finding, check=check, verdict=verdict, reason=rule)
    if not usable:
        reason = f"{rule}; an acceptance until {latest.expires} by {latest.owner} does not count: {_at_most(as_of)}"
        return Judged(finding=finding, check=check, verdict=verdict, reason=reason)
    who = f"by {latest.owner}: {latest.reason}"
    if as_of > latest.expires:
        reason = f"{rule}; it was accepted, but only until {latest.expires}, {who}"
        return Judged(finding=finding, check=check, verdict=verdict, reason=reason)
    reason = f"accepted until {latest.expires} {who}"
    return Judged(finding=finding, check=check, verdict=Verdict.APPROVED, reason=reason)


def _at_most(as_of: date) -> str:
    return f"as of {as_of} it may last until {as_of + timedelta(days=MAX_ACCEPTED_DAYS)} at most"


def _is_overlong(acceptance: Acceptance, as_of: date) -> bool:
    return (acceptance.expires - as_of).days > MAX_ACCEPTED_DAYS


def _ruled(finding: Finding, check: str, policy: Policy) -> tuple[Verdict, str]:
    """The verdict before acceptances, and the rule it comes from."""
    if check == STRUCTURE:
        return Verdict.REJECTED, "strict inspection refuses it, whatever the policy"
    lists = ((Verdict.REJECTED, "rejects", policy.reject), (Verdict.FLAGGED, "flags", policy.flag))
    for verdict, verb, rules in lists:
        for rule in sorted(rules):
            if rule not in SEVERITIES and fnmatchcase(finding.id, rule):
                return verdict, f"the policy {verb} {rule!r}"
    if finding.id == INCOMPLETE:
        return Verdict.FLAGGED, "a check that did not look at everything approves nothing"
    for verdict, verb, rules in lists:
        if finding.severity in rules:
            return verdict, f"the policy {verb} severity {finding.severity!r}"
    return Verdict.APPROVED, "a note: no rule of the policy names it"


def _accepts(acceptance: Acceptance, finding: Finding, check: str, project: str) -> bool:
    if not fnmatchcase(project, acceptance.project):
        return False
    if finding.id == INCOMPLETE:
        # It is about no single entry, so an acceptance that is limited to one does not cover it.
        return acceptance.check == check and acceptance.entry == "*"
    return bool(acceptance.finding) and (
        fnmatchcase(finding.id, acceptance.finding) and fnmatchcase(finding.entry, acceptance.entry)
    )


def _reasons(judged: Iterable[Judged]) -> Iterator[str]:
    """One sentence for findings of one kind, the strictest kind first."""
    kinds: dict[tuple[str, ...], list[Judged]] = defaultdict(list)
    for each in judged:
        if each.verdict is not Verdict.APPROVED:
            kinds[_kind(each)].append(each)
    ordered = sorted(kinds.values(), key=_weight)
    yield from (_sentence(group) for group in ordered[:MAX_REASONS])
    if len(ordered) > MAX_REASONS:
        yield f"{len(ordered) - MAX_REASONS} more kinds of findings, in full below."


def _kind(each: Judged) -> tuple[str, ...]:
    finding = each.finding
    if finding.id == INCOMPLETE:
        return (each.verdict, finding.id, finding.message, each.reason)
    return (each.verdict, finding.id, finding.severity, each.reason)


def _weight(group: Sequence[Judged]) -> tuple[int, int, str, str]:
    first = group[0]
    severity = SEVERITIES.index(first.finding.severity)
    return -_RANK[first.verdict], -severity, first.finding.id, first.finding.message


def _sentence(group: Sequence[Judged]) -> str:
    first = group[0]
    finding = first.finding
    if finding.id == INCOMPLETE:
        checks = ", ".join(dict.fromkeys(each.check for each in group))
        text = f"{checks} did not look at everything: {_cut(finding.message, MAX_MESSAGE).rstrip('.')}"
    else:
        place = _cut(finding.entry, MAX_PLACE) + (f":{finding.line}" if finding.line is not None else "")
        more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
        text = f"{finding.id}: {place}{': ' if place else ''}{_cut(finding.message, MAX_MESSAGE).rstrip('.')}{more}"
    return f"{first.verdict.capitalize()}: {text}; {first.reason}."


def _cut(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"

"""A wheel's bytes in, a report out. The wheel is read, unpacked and looked at; nothing of it is imported or run.

1. Inspect it strictly. What is refused here is rejected, and no other check is run on it: its content is not known.
2. Choose its dependencies from the wheels at hand, and inspect them as such.
3. Unpack a private copy for external tools, the very files that would stand in an environment.
4. Every check in turn. One that crashes has not looked: it is incomplete, and never a pass.
5. Those that read code read that of each dependency, too.
6. Let the policy judge.

Steps 1 to 5 are `examine`, step 6 is `conclude`: one examination can be judged by several policies.

    report = audit(data, "demo_plugin-1.0.0-py3-none-any.whl", closure=None, terms=Terms(as_of=date(2026, 11, 21)))
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from assess_registry.audit.advisories import AdvisoryDatabase
from assess_registry.audit.checks import CHECKS, READING_CODE
from assess_registry.audit.closure import NAME as CLOSURE
from assess_registry.audit.closure import examine_closure
from assess_registry.audit.context import Check, Context
from assess_registry.audit.dependencies import NAME as DEPENDENCIES
from assess_registry.audit.dependencies import Seen, examine_dependencies
from assess_registry.audit.examining import examination, structural
from assess_registry.audit.finding_ids import unknown_finding
from assess_registry.audit.policy import STRUCTURE, judge, policy_sha256
from assess_registry.audit.private_copy import private_copy
from assess_registry.audit.values import Examination, Report, Subject
from assess_registry.config import Policy, Publisher, Targets
from assess_registry.config.policy import ANY_LICENCE
from assess_registry.errors import WheelError
from assess_registry.manifest import SEVERITIES
from assess_registry.manifest.reader import nearest
from assess_registry.names import ProjectName, Sha256
from assess_registry.wheel import InspectedWheel, inspect, unpacked_files


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """All that a verdict depends on, besides the wheel, its dependencies and the tools.

    Attributes:
        policy, publishers: of the registry.
        published: projects that are published in it already.
        targets: where its plugins run.
        advisories: None when there are none; then `advisories_problem` says why.
        as_of: the day for ages and expiries (UTC).
        seen: dependencies that were looked at already; the same wheel is looked at once for all that use these terms.
    """

    policy: Policy = field(default_factory=Policy)
    publishers: tuple[Publisher, ...] = ()
    published: frozenset[ProjectName] = frozenset()
    targets: Targets = field(default_factory=Targets)
    advisories: AdvisoryDatabase | None = None
    advisories_problem: str = "no advisories were given"
    as_of: date
    seen: Seen = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """A wheel that every check has looked at, and nobody has judged.

    Attributes:
        context: what the checks were given; None when strict inspection refused the wheel and none was run.
    """

    filename: str
    project: str
    version: str
    sha256: Sha256
    size: int
    examinations: tuple[Examination, ...]
    context: Context | None


def audit(
    data: bytes,
    filename: str,
    *,
    closure: Mapping[str, bytes] | None,
    terms: Terms,
    evidence: bytes | None = None,
    scratch: Path | None = None,
) -> Report:
    """The verdict on a plugin's wheel; whatever the wheel holds, this returns.

    Args:
        data: the wheel.
        filename: its name.
        closure: filename -> bytes of wheels to choose its dependencies from; None when there are none at hand.
        terms: what to judge it by.
        evidence: what `tox --result-json` wrote about this wheel; None when there is nothing.
        scratch: where the private copy is made for the time of the audit; the system's place for such when None.
    """
    examined = examine(data, filename, closure=closure, terms=terms, evidence=evidence, scratch=scratch)
    return conclude(examined, terms)


def examine(
    data: bytes,
    filename: str,
    *,
    closure: Mapping[str, bytes] | None,
    terms: Terms,
    evidence: bytes | None = None,
    scratch: Path | None = None,
    checks: tuple[Check, ...] = CHECKS,
) -> Examined:
    """Every check has looked at the wheel, or says why it did not. Arguments as for `audit`."""
    try:
        wheel = inspect(data, filename, kind="plugin")  # 1
    except WheelError as error:
        return _refused(data, filename, error, checks)
    context = replace(context_of(wheel, terms), evidence=evidence)
    dependencies, about_closure = examine_closure(wheel, closure, context.targets)  # 2
    examinations = [Examination(check=STRUCTURE, facts={"files": len(wheel.entries)}), about_closure]
    files = tuple(sorted(unpacked_files(data, wheel), key=lambda file: file.path))
    with private_copy(files, scratch) as root:  # 3
        subject = Subject(wheel=wheel, data=data, files=files, unpacked=root, closure=dependencies, as_of=terms.as_of)
        examinations += [examination(check, subject, context) for check in checks]  # 4
    examinations.append(
        examine_dependencies(  # 5
            subject,
            closure or {},
            checks=tuple(check for check in checks if check in READING_CODE),
            context=context,
            seen=terms.seen,
            scratch=scratch,
        )
    )
    return Examined(
        filename=filename,
        project=wheel.project,
        version=wheel.version,
        sha256=wheel.sha256,
        size=wheel.size,
        examinations=tuple(examinations),
        context=context,
    )


def conclude(examined: Examined, terms: Terms) -> Report:
    """The report on an examined wheel. `terms` must give the checks the context that they were given."""
    judgement = judge(  # 6
        examined.examinations, policy=terms.policy, project=examined.project, as_of=terms.as_of
    )
    return Report(
        filename=examined.filename,
        project=examined.project,
        version=examined.version,
        sha256=examined.sha256,
        size=examined.size,
        as_of=terms.as_of,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        judged=judgement.judged,
        examinations=examined.examinations,
        policy_sha256=policy_sha256(terms.policy, terms.publishers, terms.targets),
        advisories=terms.advisories.describe() if terms.advisories else terms.advisories_problem,
    )


def context_of(wheel: InspectedWheel, terms: Terms) -> Context:
    """What the checks of this wheel are given under these terms."""
    policy = terms.policy
    owners = [each.name for each in terms.publishers if each.admits(wheel.project)]
    return Context(
        advisories=terms.advisories,
        advisories_problem="" if terms.advisories else terms.advisories_problem,
        advisories_max_age_days=policy.advisories_max_age_days,
        licences=() if ANY_LICENCE in policy.licences else tuple(sorted(policy.licences)),
        native_allowed=bool(owners) and all(name in policy.native_publishers for name in owners),
        max_wheel_bytes=int(policy.max_wheel_mib * (1 << 20)),
        publishers=tuple((each.name, each.projects) for each in terms.publishers),
        published=terms.published,
        targets=terms.targets,
        reserved=policy.reserved,
        reserved_prefixes=policy.reserved_prefixes,
    )


def check_names() -> tuple[str, ...]:
    """What an acceptance may name as its `check`; strict inspection is not among them, for it always is complete."""
    return (CLOSURE, *(check.NAME for check in CHECKS), DEPENDENCIES)


def idle_rules(policy: Policy) -> tuple[str, ...]:
    """A sentence for each rule and acceptance that can never hold for anything: there is no such check or finding."""
    known = check_names()
    problems = [
        f"policy.{key}[{number}]: {problem}"
        for key, rules in (("reject", policy.reject), ("flag", policy.flag))
        for number, rule in enumerate(rules)
        if rule not in SEVERITIES and (problem := unknown_finding(rule))
    ]
    for number, each in enumerate(policy.accept):
        if each.check and each.check not in known:
            problems.append(f"policy.accept[{number}].check: no check {each.check!r}; {nearest(each.check, known)}")
        elif each.finding and (problem := unknown_finding(each.finding)):
            problems.append(f"policy.accept[{number}].finding: {problem}")
    return tuple(problems)


def _refused(data: bytes, filename: str, error: WheelError, checks: Iterable[Check]) -> Examined:
    project, version = _named(filename)
    findings = tuple(structural(issue, issue.entry) for issue in error.issues)
    why = "it was not run, because strict inspection refused the wheel"
    others = [CLOSURE, *(check.NAME for check in checks), DEPENDENCIES]
    return Examined(
        filename=filename,
        project=project,
        version=version,
        sha256=Sha256(hashlib.sha256(data).hexdigest()),
        size=len(data),
        examinations=(
            Examination(check=STRUCTURE, findings=findings),
            *(Examination(check=name, incomplete=(why,)) for name in others),
        ),
        context=None,
    )


def _named(filename: str) -> tuple[str, str]:
    """Project and version as the name has them, for reports on wheels that may be neither."""
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return "", ""
    return name, str(version)

"""Known vulnerabilities of the wheel, of every wheel of its closure, and of what it pins without bringing it along.

Advisories come from a database that was imported; nothing is asked of a network. No database, one that is older than
the policy allows or too small to be an export of all of PyPI, or an advisory that cannot be compared with a version:
each leaves the check incomplete. (A
requirement that no wheel at hand satisfies is the closure's affair.) `docs/advisories.md` says how to import an export.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement

from assess_registry.audit.advisories import MIN_ADVISORIES, Advisory, AdvisoryDatabase
from assess_registry.audit.context import Context
from assess_registry.audit.findings import in_order
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.errors import ConfigError
from assess_registry.names import ProjectName, normalize_project
from assess_registry.wheel import InspectedWheel

NAME = "vulnerabilities"

_NO_ADVISORIES = "no advisories; import with: assess-registry advisories import FILE"
_MAX_SUMMARY = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class _Question:
    """A version to look up; `entry` is where a finding about it belongs."""

    project: ProjectName
    version: str
    entry: str


def examine(subject: Subject, context: Context) -> Examination:
    """Every vulnerability that the database knows of the wheel and of its dependencies."""
    database = context.advisories
    if not isinstance(database, AdvisoryDatabase):
        return Examination(check=NAME, incomplete=(context.advisories_problem or _NO_ADVISORIES,))
    questions = tuple(_questions(subject))
    findings: list[Finding] = []
    incomplete = [*_too_few(database), *_too_old(database, subject, context)]
    try:
        for question in questions:
            for advisory in database.match(question.project, question.version):
                if advisory.uncertain:
                    incomplete.append(_undecided(question, advisory))
                else:
                    findings.append(_finding(question, advisory))
    except ConfigError as error:
        # Its path is of this machine, and a report must not depend on that.
        incomplete.append(f"the advisories could not be read: {str(error).removeprefix(f'{database.path}: ')}")
    return Examination(
        check=NAME,
        findings=in_order(findings),
        incomplete=tuple(incomplete),
        facts={
            "advisories": database.describe(),
            "age_days": database.age_days(subject.as_of),
            "examined": sorted(f"{question.project}=={question.version}" for question in questions),
        },
    )


def _questions(subject: Subject) -> Iterator[_Question]:
    yield _Question(project=subject.wheel.project, version=subject.wheel.version, entry="")
    present = {(subject.wheel.project, subject.wheel.version)}
    for wheel in sorted(subject.closure, key=lambda wheel: wheel.filename):
        present.add((wheel.project, wheel.version))
        yield _Question(project=wheel.project, version=wheel.version, entry=wheel.filename)
    for requirement in subject.wheel.requires_dist:
        version = _pinned(requirement)
        if version and (project := _project(requirement)) and (project, version) not in present:
            present.add((project, version))
            yield _Question(project=project, version=version, entry=_metadata_entry(subject.wheel))


def _pinned(requirement: Requirement) -> str:
    """The one version it allows, empty when there may be more."""
    versions = {
        specifier.version
        for specifier in requirement.specifier
        if specifier.operator in ("==", "===") and not specifier.version.endswith(".*")
    }
    return versions.pop() if len(versions) == 1 else ""


def _project(requirement: Requirement) -> ProjectName | None:
    try:
        return normalize_project(requirement.name)
    except ValueError:
        return None


def _metadata_entry(wheel: InspectedWheel) -> str:
    return next(entry.path for entry in wheel.entries if entry.path.endswith(".dist-info/METADATA"))


def _too_few(database: AdvisoryDatabase) -> list[str]:
    if database.is_whole():
        return []
    held = f"too few advisories: {database.coverage()}, and an export of all of PyPI has at least {MIN_ADVISORIES:,}"
    return [f"{held}; import one with: assess-registry advisories import FILE"]


def _too_old(database: AdvisoryDatabase, subject: Subject, context: Context) -> list[str]:
    age = database.age_days(subject.as_of)
    if age < 0:
        newest = database.newest.date()
        return [f"the age of the advisories cannot be told: {subject.as_of} is before the newest of them ({newest})"]
    if age <= context.advisories_max_age_days:
        return []
    imported = (subject.as_of - database.imported_on).days
    allowed = context.advisories_max_age_days
    ages = f"the newest of them is {age} days old (imported {imported} days ago), the policy allows {allowed}"
    return [f"advisories too old: {ages}; import with: assess-registry advisories import FILE"]


def _undecided(question: _Question, advisory: Advisory) -> str:
    return f"{question.project} {question.version}: cannot be compared with {advisory.id}: {advisory.uncertain}"


def _finding(question: _Question, advisory: Advisory) -> Finding:
    names = f"{advisory.id} ({', '.join(advisory.aliases)})" if advisory.aliases else advisory.id
    summary = " ".join(advisory.summary.split())[:_MAX_SUMMARY] or "no summary"
    fixed = ", ".join(advisory.fixed_in[:5])
    return Finding(
        id="known-vulnerability",
        severity=advisory.severity,
        entry=question.entry,
        message=f"{question.project} {question.version} has {names}: {summary}",
        advice=f"fixed in {fixed}" if fixed else "no fixed version is known",
        rule="OSV schema: affected versions",
    )

"""One check on one wheel, and findings that several places make.

A check that crashes has not looked: it is incomplete, and never a pass.
"""

import logging
from dataclasses import replace

from assess_registry.audit.context import Check, Context
from assess_registry.audit.finding_ids import is_declared
from assess_registry.audit.findings import place
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.errors import Issue

_MAX_MESSAGE = 500

_log = logging.getLogger(__name__)


def examination(check: Check, subject: Subject, context: Context) -> Examination:
    """What the check says, its findings in order; a crash of it is a finding, and leaves it incomplete."""
    try:
        said = check.examine(subject, context)
    except Exception as error:
        _log.warning("check %s crashed", check.NAME, exc_info=True, extra={"action": "check-crashed"})
        # Where the private copy lies differs from audit to audit, and reports must not.
        message = one_line(f"{type(error).__name__}: {error}".replace(str(subject.unpacked), "."))
        finding = Finding(
            id="check-crashed",
            severity="medium",
            entry="",
            message=f"the check {check.NAME} crashed: {message}",
            advice="report this; a wheel that makes an audit crash deserves a careful look",
            rule="docs/policy.md: a check that did not look at everything",
        )
        return Examination(check=check.NAME, findings=(finding,), incomplete=("it crashed",))
    findings = tuple(sorted(said.findings, key=place))
    strange = sorted({each.id for each in findings if not is_declared(each.id)})
    # Kept, for it may be grave; but no policy can have been written with it in mind.
    incomplete = (*said.incomplete, *(f"its findings {each} are declared nowhere: report this" for each in strange))
    return replace(said, check=check.NAME, findings=findings, incomplete=incomplete)


def one_line(text: str) -> str:
    """The text without line breaks, cut where nobody reads on."""
    return " ".join(text.split())[:_MAX_MESSAGE]


def structural(issue: Issue, entry: str) -> Finding:
    """What strict inspection refuses."""
    return Finding(id=issue.id, severity="critical", entry=entry, message=issue.message, rule=issue.rule)

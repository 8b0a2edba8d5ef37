"""Where every submission stands, for whoever looks at the list: what is missing, and for how long that has been so."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from assess_registry.errors import RegistryError, TrustError
from assess_registry.index.tree import Tree
from assess_registry.manifest import Permissions
from assess_registry.names import ProjectName
from assess_registry.review.check import CheckedSubmission, check
from assess_registry.review.permissions import PermissionChange, change_of
from assess_registry.review.published import catalogue_of, last_approved, repository_of
from assess_registry.review.reports import verdict_and_day
from assess_registry.review.reviews import Review, envelope_of, require_no_rejection, reviews_of
from assess_registry.review.rules import Rules
from assess_registry.review.submissions import Submission, directories, load_submission
from assess_registry.verdict import check_approval
from assess_registry.wheel import InspectedWheel, inspect

State = Literal["broken", "rejected", "refused", "stale", "waiting", "approved", "published"]
"""broken: not whole, or not what was submitted; rejected: by the audit; refused: by a reviewer; stale: to be submitted
again; waiting: for reviewers; approved: to be published; published."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One submission as it stands.

    Attributes:
        audit: what the audit said: `approved`, `flagged` or `rejected`; empty when that is not known.
        why: what is missing, or why it cannot be published; one sentence.
        needed: how many reviewers have to approve.
        change: what it may do that the last approved version may not.
    """

    sha256: str
    filename: str
    project: str = ""
    version: str = ""
    publisher: str = ""
    audit: str = ""
    state: State
    why: str = ""
    needed: int = 0
    reviews: tuple[Review, ...] = ()
    change: PermissionChange = field(default_factory=PermissionChange)

    @property
    def approvals(self) -> tuple[str, ...]:
        """Names of those whose approval stands."""
        return tuple(sorted({each.reviewer for each in self.reviews if each.approves and not each.stale} - {""}))


def standings(root: Path, rules: Rules) -> Iterator[Standing]:
    """Every submission of the registry, in the order of their digests."""
    for directory in directories(root):
        try:
            submission = load_submission(directory)
        except RegistryError as error:
            yield Standing(sha256=directory.name, filename="", state="broken", why=_first_line(error))
            continue
        yield standing_of(root, submission, rules)


def standing_of(root: Path, submission: Submission, rules: Rules) -> Standing:
    """Where this submission stands.

    Raises:
        TrustError: what is published on the registry's disk is not what was signed.
    """
    try:
        audit, _ = verdict_and_day(submission.report, submission.sha256)
        wheel = inspect(submission.data, submission.filename, kind="plugin")
    except (ValueError, RegistryError) as error:
        return Standing(sha256=submission.sha256, filename=submission.filename, state="broken", why=_first_line(error))
    common = _Common(root=root, submission=submission, wheel=wheel, audit=audit)
    if _is_published(root, wheel):
        return common.standing("published")
    try:
        checked = check(submission, rules)
    except TrustError as error:
        states: dict[str, State] = {"review": "rejected", "stale": "stale"}
        return common.standing(states.get(error.step, "broken"), why=_first_line(error))
    return _reviewed(common, checked, rules)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Common:
    root: Path
    submission: Submission
    wheel: InspectedWheel
    audit: str

    def standing(
        self,
        state: State,
        *,
        why: str = "",
        publisher: str = "",
        needed: int = 0,
        reviews: tuple[Review, ...] = (),
    ) -> Standing:
        since, before = last_approved(Tree(self.root), repository_of(self.root), self.wheel.project, self.wheel.version)
        return Standing(
            sha256=self.submission.sha256,
            filename=self.submission.filename,
            project=self.wheel.project,
            version=self.wheel.version,
            publisher=publisher,
            audit=self.audit,
            state=state,
            why=why,
            needed=needed,
            reviews=reviews,
            change=change_of(before, self._asked(), since=since),
        )

    def _asked(self) -> Permissions:
        return self.wheel.manifest.permissions if self.wheel.manifest else Permissions()


def _reviewed(common: _Common, checked: CheckedSubmission, rules: Rules) -> Standing:
    reviews = reviews_of(common.submission, rules=rules, publisher=checked.publisher)
    state: State = "approved"
    why = ""
    try:
        require_no_rejection(common.submission, reviews)
    except TrustError as error:
        state, why = "refused", _first_line(error)
    else:
        try:
            envelope = envelope_of(common.submission, reviews)
            check_approval(envelope, control=rules.control, publisher=checked.publisher, at=rules.now)
        except TrustError as error:
            state, why = "waiting", f"expected {error.expected}; got {error.got}"
    needed = rules.control.publishers[checked.publisher].approvals
    automatic = checked.verdict.approved_by == "policy"
    return common.standing(
        state, why=why, publisher=checked.publisher, needed=0 if automatic else needed, reviews=reviews
    )


def _is_published(root: Path, wheel: InspectedWheel) -> bool:
    release = catalogue_of(repository_of(root), ProjectName(wheel.project)).release(wheel.version)
    return release is not None and any(each.sha256 == wheel.sha256 for each in release.wheels)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]

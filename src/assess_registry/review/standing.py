"""Where every submission stands, for whoever looks at the list: what is missing, for how long, and what to do next."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from assess_registry.catalogue import CatalogueWheel, Release
from assess_registry.dsse import parse_envelope
from assess_registry.errors import RegistryError, TrustError
from assess_registry.index.tree import Tree
from assess_registry.manifest import Permissions
from assess_registry.names import ProjectName
from assess_registry.review.check import CheckedSubmission, check
from assess_registry.review.permissions import PermissionChange, change_of, stated_change
from assess_registry.review.published import (
    catalogue_of,
    last_approved,
    published_file,
    repository_of,
    signed_publishers,
)
from assess_registry.review.reports import verdict_and_day
from assess_registry.review.reviews import POLICY, Review, envelope_of, require_no_rejection, reviews_of
from assess_registry.review.rules import Rules
from assess_registry.review.submissions import Submission, directories, load_submission, signed_wheel
from assess_registry.signatures import verify_detached
from assess_registry.verdict import check_approval
from assess_registry.wheel import InspectedWheel, inspect

State = Literal["broken", "rejected", "refused", "stale", "waiting", "approved", "published", "revoked"]
"""broken: not whole, or not what was submitted; rejected: by the audit; refused: by a reviewer; stale: to be submitted
again; waiting: for reviewers; approved: to be published; published; revoked: published, and taken back for ever."""

SHORT = 12
"""Digits of a digest that name a submission or a statement among people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One submission as it stands.

    Attributes:
        publisher: whose it is, by its signature; empty when nobody's here.
        audit: what the audit said: `approved`, `flagged` or `rejected`; empty when that is not known.
        why: what is missing, or why it cannot be published; one sentence.
        next: what to do, with the command to type where there is one; empty when nothing is left to do.
        needed: how many reviewers have to approve.
        approved_by: of a published one, by whose approval; `policy` where the audit's word was enough.
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
    next: str = ""
    needed: int = 0
    reviews: tuple[Review, ...] = ()
    approved_by: tuple[str, ...] = ()
    change: PermissionChange = field(default_factory=PermissionChange)

    @property
    def approvals(self) -> tuple[str, ...]:
        """Names of those whose approval stands."""
        standing = {each.reviewer for each in self.reviews if each.approves and not each.stale} - {""}
        return self.approved_by or tuple(sorted(standing))


def standings(root: Path, rules: Rules) -> Iterator[Standing]:
    """Every submission of the registry, in the order of their digests."""
    for directory in directories(root):
        try:
            submission = load_submission(directory)
        except RegistryError as error:
            yield _broken(directory, "", rules, error)
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
        return _broken(submission.directory, submission.filename, rules, error)
    common = _Common(root=root, submission=submission, wheel=wheel, audit=audit)
    if found := _published(root, wheel):
        return _of_release(common, *found)
    publisher = _publisher(submission.directory, rules)
    try:
        checked = check(submission, rules)
    except TrustError as error:
        return _refused(common, error, publisher)
    return _reviewed(common, checked, rules)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Common:
    root: Path
    submission: Submission
    wheel: InspectedWheel
    audit: str

    @property
    def asked(self) -> Permissions:
        """What it asks for."""
        return self.wheel.manifest.permissions if self.wheel.manifest else Permissions()

    def change(self) -> PermissionChange:
        """What of that is new."""
        since, before = last_approved(Tree(self.root), repository_of(self.root), self.wheel.project, self.wheel.version)
        return change_of(before, self.asked, since=since)

    def standing(
        self,
        state: State,
        *,
        why: str = "",
        next_step: str = "",
        publisher: str = "",
        needed: int = 0,
        reviews: tuple[Review, ...] = (),
        approved_by: tuple[str, ...] = (),
    ) -> Standing:
        return Standing(
            sha256=self.submission.sha256,
            filename=self.submission.filename,
            project=self.wheel.project,
            version=self.wheel.version,
            publisher=publisher,
            audit=self.audit,
            state=state,
            why=why,
            next=next_step,
            needed=needed,
            reviews=reviews,
            approved_by=approved_by,
            change=self.change(),
        )


def _broken(directory: Path, filename: str, rules: Rules, error: Exception) -> Standing:
    return Standing(
        sha256=directory.name,
        filename=filename,
        publisher=_publisher(directory, rules),
        state="broken",
        why=_first_line(error),
        next=_remove(directory),
    )


def _remove(directory: Path) -> str:
    return f"find out who changed it, then remove {directory} and have the wheel submitted again"


def _publisher(directory: Path, rules: Rules) -> str:
    """Who signed the wheel, whether or not that key counts now; empty when it is nobody's here."""
    signed = signed_wheel(directory)
    try:
        holder = rules.holder(verify_detached(*signed, rules.publishers_keys())) if signed else None
    except TrustError:
        return ""
    return holder[0] if holder else ""


def _of_release(common: _Common, release: Release, wheel: CatalogueWheel) -> Standing:
    if release.revoked:
        why = f"revoked: {release.revoked.reason}"
        return common.standing("revoked", why=why, publisher=wheel.publisher, next_step="raise the version")
    project = ProjectName(common.wheel.project)
    envelope = parse_envelope(published_file(Tree(common.root), project, release.version, wheel.verdict))
    control = signed_publishers(repository_of(common.root))
    approved_by: tuple[str, ...] = ()
    why = ""
    try:
        if control is not None:
            at = release.published_at
            approval = check_approval(envelope, control=control, publisher=wheel.publisher, at=at)
            approved_by = (POLICY,) if approval.automatic else approval.by
    except TrustError as error:
        why = f"clients refuse it: {_first_line(error)}"
    return common.standing("published", why=why, publisher=wheel.publisher, approved_by=approved_by)


def _refused(common: _Common, error: TrustError, publisher: str) -> Standing:
    states: dict[str, State] = {"review": "rejected", "stale": "stale", "publisher": "stale" if publisher else "broken"}
    state = states.get(error.step, "broken")
    next_step = _remove(common.submission.directory) if state == "broken" else error.next_step
    return common.standing(state, why=_first_line(error), next_step=next_step, publisher=publisher)


def _reviewed(common: _Common, checked: CheckedSubmission, rules: Rules) -> Standing:
    reviews = reviews_of(common.submission, rules=rules, publisher=checked.publisher)
    state: State = "approved"
    why, next_step = "", _publish(checked)
    try:
        require_no_rejection(common.submission, reviews)
    except TrustError as error:
        state, why, next_step = "refused", _first_line(error), error.next_step
    else:
        try:
            envelope = envelope_of(common.submission, reviews)
            check_approval(envelope, control=rules.control, publisher=checked.publisher, at=rules.now)
        except TrustError as error:
            state, why = "waiting", f"expected {error.expected}; got {error.got}"
            next_step = _approve(checked, common.change())
    needed = rules.control.publishers[checked.publisher].approvals
    automatic = checked.verdict.approved_by == "policy"
    return common.standing(
        state,
        why=why,
        next_step=next_step,
        publisher=checked.publisher,
        needed=0 if automatic else needed,
        reviews=reviews,
    )


def _approve(checked: CheckedSubmission, change: PermissionChange) -> str:
    submission = checked.submission
    seen = (submission.statement_sha256 or "")[:SHORT]
    grew = change.grew or stated_change(checked.verdict).grew
    more = " --accept-permissions" if grew else ""
    typed = f"assess-registry review approve {submission.sha256[:SHORT]} --key KEY --statement {seen}{more}"
    return f"read it, then: {typed}, or: assess-registry review reject"


def _publish(checked: CheckedSubmission) -> str:
    wheels = [each.sha256[:SHORT] for each in checked.lock.wheels if each.project == checked.wheel.project]
    return f"assess-registry publish {' '.join(wheels)} --release-key KEY --online-key KEY"


def _published(root: Path, wheel: InspectedWheel) -> tuple[Release, CatalogueWheel] | None:
    release = catalogue_of(repository_of(root), ProjectName(wheel.project)).release(wheel.version)
    found = [each for each in (release.wheels if release else ()) if each.sha256 == wheel.sha256]
    return (release, found[0]) if release and found else None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]

"""What reviewers say of a submission: each a signature of their own, kept beside it until it is published.

An approval is a signature over the statement, in the very envelope that clients will count it in. It says nothing of
any other statement: when the report, the policy, the lock or the permissions change, so does the statement, and an old
approval is kept, shown as stale, and counts no more. A rejection is signed too, and is about the wheel itself:
submitting it again does not lift it, nor does the end of the key that made it. It stands until the same reviewer
approves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from assess_registry.canonical import Members, decode, encode, parse_text
from assess_registry.control import Publishers
from assess_registry.dsse import Envelope, parse_envelope, sign_envelope
from assess_registry.errors import ConfigError, RegistryError, TrustError
from assess_registry.files import read_bounded
from assess_registry.index.tree import Tree
from assess_registry.keys import KeyId, PrivateKey, PublicKey
from assess_registry.review.check import CheckedSubmission
from assess_registry.review.permissions import PermissionChange
from assess_registry.review.rules import Rules
from assess_registry.review.submissions import MAX_STATEMENT_BYTES, REVIEWS, Submission
from assess_registry.verdict import PAYLOAD_TYPE

POLICY = "policy"
"""In the place of a reviewer's name, where the audit key has approved."""

REJECTION_TYPE = "application/vnd.assess.rejection+json"

MAX_REVIEW_BYTES = 2 * MAX_STATEMENT_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What one key said.

    Attributes:
        key: whose; its signature is verified.
        reviewer: name of its holder; empty when the key is no reviewer's and not the audit's, or, for an approval, not
            at this time.
        approves: whether it is an approval.
        stale: whether it is about another statement than the one there is now or, for a rejection, another wheel.
        ended: whether the key is not valid at this time.
        reason: of a rejection.
    """

    key: KeyId
    reviewer: str
    approves: bool
    stale: bool
    ended: bool
    reason: str = ""
    envelope: Envelope


def approve(
    tree: Tree,
    checked: CheckedSubmission,
    key: PrivateKey,
    *,
    rules: Rules,
    change: PermissionChange,
    accept_permissions: bool,
) -> str:
    """The reviewer's signature lies beside the submission; gives the reviewer's name. Holds for the lock's owner.

    Where permissions grew (`change`), the reviewer has to say that this was seen (`accept_permissions`).

    Raises:
        TrustError: step `reviewer`: the key is no reviewer's now, or the publisher's own. Step `permissions`: they
            grew, and nobody said that this was seen.
    """
    name = reviewer_of(rules.control, key.public, publisher=checked.publisher, at=rules.now)
    if change.grew and not accept_permissions:
        raise TrustError(
            f"it asks for more than {change.since} was approved for",
            step="permissions",
            thing=checked.submission.filename,
            expected=f"at most what {change.since} may do",
            got="; ".join(change.more),
            next_step="if all of that is meant to be: --accept-permissions",
        )
    write_approval(tree, checked.submission, key)
    return name


def reject(
    tree: Tree,
    checked: CheckedSubmission,
    key: PrivateKey,
    *,
    rules: Rules,
    reason: str,
) -> str:
    """The reviewer's signed rejection lies beside the submission, in place of an approval; gives the reviewer's name.

    Raises:
        TrustError: step `reviewer`, as `approve`.
        ConfigError: the reason is empty, too long, or more than a line.
    """
    try:
        parse_text(reason)
    except ValueError as error:
        raise ConfigError(f"reason: {error}") from error
    name = reviewer_of(rules.control, key.public, publisher=checked.publisher, at=rules.now)
    document = {"schema": 1, "wheel_sha256": checked.submission.sha256, "reason": reason}
    _write(tree, checked.submission, key, sign_envelope(encode(document), REJECTION_TYPE, [key]))
    return name


def write_approval(tree: Tree, submission: Submission, key: PrivateKey) -> None:
    """The key's signature over the statement lies beside the submission; whose key it is, the caller has to know."""
    if submission.statement is None:
        raise ValueError("there is nothing to approve")
    _write(tree, submission, key, sign_envelope(submission.statement, PAYLOAD_TYPE, [key]))


def reviewer_of(control: Publishers, key: PublicKey, *, publisher: str, at: datetime) -> str:
    """The reviewer whose key this is.

    Raises:
        TrustError: step `reviewer`; it is nobody's, not valid at this time, or the publisher's.
    """
    if any(each.key == key for each in (control.reviewers[publisher].keys if publisher in control.reviewers else ())):
        raise _refused(key.id, "a publisher does not approve their own wheels", "another reviewer", publisher)
    if any(each.key == key for each in control.publishers[publisher].keys):
        raise _refused(key.id, "the publisher's key does not approve", "a reviewer's key", f"a key of {publisher}")
    for name, reviewer in sorted(control.reviewers.items()):
        for timed in reviewer.keys:
            if timed.key == key:
                if why := timed.invalid_because(at):
                    raise _refused(key.id, "the reviewer's key does not count", "a valid key", why)
                return name
    known = ", ".join(sorted(control.reviewers)) or "nobody"
    raise _refused(key.id, "no reviewer of this registry has this key", f"a key of: {known}", "an unknown key")


def reviews_of(submission: Submission, *, rules: Rules, publisher: str) -> tuple[Review, ...]:
    """All that was said, in the order of the keys. A file that is no signed review is none, and left out."""
    return tuple(_reviews(submission, rules, publisher))


def envelope_of(submission: Submission, reviews: tuple[Review, ...]) -> Envelope:
    """The verdict as it is published: the statement, and every signature over it that counts."""
    signatures = [
        signature for each in reviews if each.approves and not each.stale for signature in each.envelope.signatures
    ]
    return Envelope(payload_type=PAYLOAD_TYPE, payload=submission.statement or b"", signatures=tuple(signatures))


def require_no_rejection(submission: Submission, reviews: tuple[Review, ...]) -> None:
    """No reviewer rejects it.

    Raises:
        TrustError: step `approval`; somebody does.
    """
    approving = {each.reviewer for each in reviews if each.approves and not each.stale}
    for each in reviews:
        # A key that was replaced cannot take back what it said; its holder's new one can.
        lifted = each.ended and each.reviewer in approving
        if not each.approves and not each.stale and each.reviewer and not lifted:
            raise TrustError(
                f"{each.reviewer} rejected it: {each.reason}",
                step="approval",
                thing=submission.filename,
                next_step="let its publisher correct it and submit another version, or talk to the reviewer",
            )


def _reviews(submission: Submission, rules: Rules, publisher: str) -> Iterator[Review]:
    control = rules.control
    known = {timed.key.id: timed.key for each in control.reviewers.values() for timed in each.keys}
    known |= {timed.key.id: timed.key for timed in control.audit_keys}
    for path in sorted((submission.directory / REVIEWS).glob("*.json")):
        try:
            envelope = parse_envelope(read_bounded(path, MAX_REVIEW_BYTES))
            signers = envelope.signers(known)
            if len(signers) != 1 or len(envelope.signatures) != 1:
                continue
            (key,) = signers
            if path.name != _name(key):
                continue
            yield _review(submission, envelope, known[key], rules, publisher)
        except (RegistryError, ValueError):
            continue  # whoever can write here can also leave rubbish here


def _holder(key: PublicKey, rules: Rules, publisher: str) -> str:
    if any(each.key == key and each.valid_at(rules.now) for each in rules.control.audit_keys):
        return POLICY
    try:
        return reviewer_of(rules.control, key, publisher=publisher, at=rules.now)
    except TrustError:
        return ""


def _review(submission: Submission, envelope: Envelope, key: PublicKey, rules: Rules, publisher: str) -> Review:
    now = _holder(key, rules, publisher)
    if envelope.payload_type == PAYLOAD_TYPE:
        stale = envelope.payload != submission.statement
        return Review(key=key.id, reviewer=now, approves=True, stale=stale, ended=not now, envelope=envelope)
    if envelope.payload_type != REJECTION_TYPE:
        raise ValueError("neither an approval nor a rejection")
    document = decode(envelope.payload, max_bytes=MAX_REVIEW_BYTES)
    members = Members.of(document, "rejection", required=("schema", "wheel_sha256", "reason"))
    return Review(
        key=key.id,
        reviewer=now or _former_holder(key, rules, publisher),
        approves=False,
        stale=members.parsed("wheel_sha256", str) != submission.sha256,
        ended=not now,
        reason=members.text("reason"),
        envelope=envelope,
    )


def _former_holder(key: PublicKey, rules: Rules, publisher: str) -> str:
    """The reviewer, not the publisher, who has or had this key."""
    reviewers = sorted((name, each) for name, each in rules.control.reviewers.items() if name != publisher)
    return next((name for name, each in reviewers if any(timed.key == key for timed in each.keys)), "")


def _write(tree: Tree, submission: Submission, key: PrivateKey, envelope: Envelope) -> None:
    tree.write(submission.directory / REVIEWS / _name(key.public.id), envelope.data())


def _name(key: KeyId) -> str:
    return key.removeprefix("sha256:") + ".json"


def _refused(key: KeyId, message: str, expected: str, got: str) -> TrustError:
    return TrustError(
        message,
        step="reviewer",
        thing=key,
        expected=expected,
        got=got,
        next_step="let a reviewer who is named in registry.toml approve it, with their own key",
    )

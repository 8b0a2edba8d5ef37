"""A reviewer approves or rejects: their signed word lies beside the submission, and nobody else's is changed by it.

Killed in between, the earlier word stands: of an approval the word comes last, of a rejection it comes first.
"""

from assess_registry.dsse import Envelope, sign_envelope
from assess_registry.errors import ConfigError, TrustError
from assess_registry.index.tree import Tree
from assess_registry.keys import PrivateKey
from assess_registry.names import Sha256
from assess_registry.review.check import CheckedSubmission
from assess_registry.review.permissions import PermissionChange, require_covered, stated_change
from assess_registry.review.reviews import holder_of
from assess_registry.review.rules import Rules
from assess_registry.review.seen import require_seen
from assess_registry.review.submissions import REVIEWS, Submission
from assess_registry.review.words import Word, sign_word
from assess_registry.verdict import PAYLOAD_TYPE


def approve(
    tree: Tree,
    checked: CheckedSubmission,
    key: PrivateKey,
    *,
    rules: Rules,
    seen: str,
    change: PermissionChange,
    accept_permissions: bool,
) -> str:
    """The reviewer's signature lies beside the submission; gives the reviewer's name. Holds for the lock's owner.

    The reviewer has looked at the statement with the digest `seen`, of which the first digits suffice. Where the wheel
    may do what the version before it may not (`change`), they say that they saw that, too (`accept_permissions`).

    Raises:
        TrustError: step `reviewer`: the key is no reviewer's now, or the publisher's own. Step `seen`: the statement is
            another. Step `permissions`: they grew and nobody said that this was seen, or more than the statement says.
        ConfigError: `seen` is no digest.
    """
    submission, verdict = checked.submission, checked.verdict
    name = holder_of(rules.control, key.public, publisher=checked.publisher, at=rules.now)
    require_seen(submission, seen)
    require_covered(verdict, change)
    grown = next((each for each in (change, stated_change(verdict)) if each.grew), None)
    if grown and not accept_permissions:
        raise TrustError(
            f"it asks for more than {grown.since} was approved for",
            step="permissions",
            thing=submission.filename,
            expected=f"at most what {grown.since} may do",
            got="; ".join(grown.more),
            next_step="if all of that is meant to be: --accept-permissions",
        )
    write_approval(tree, submission, key)
    word = Word(says="approves", wheel_sha256=submission.sha256, statement_sha256=_digest(submission), at=rules.now)
    _write(tree, submission, f"{_stem(key)}.json", sign_word(word, key))
    return name


def reject(tree: Tree, checked: CheckedSubmission, key: PrivateKey, *, rules: Rules, reason: str) -> str:
    """The reviewer's signed rejection lies beside the submission, in place of an approval; gives the reviewer's name.

    Raises:
        TrustError: step `reviewer`, as `approve`.
        ConfigError: the reason is empty, too long, or more than a line.
    """
    submission = checked.submission
    name = holder_of(rules.control, key.public, publisher=checked.publisher, at=rules.now)
    try:
        word = Word(
            says="rejects",
            wheel_sha256=submission.sha256,
            statement_sha256=_digest(submission),
            at=rules.now,
            reason=reason,
        )
    except ValueError as error:
        raise ConfigError(f"reason: {error}") from error
    _write(tree, submission, f"{_stem(key)}.json", sign_word(word, key))
    (submission.directory / REVIEWS / f"{_stem(key)}.verdict.json").unlink(missing_ok=True)
    return name


def write_approval(tree: Tree, submission: Submission, key: PrivateKey) -> None:
    """The key's signature over the statement lies beside the submission; whose key it is, the caller has to know."""
    if submission.statement is None:
        raise ValueError("there is nothing to approve")
    envelope = sign_envelope(submission.statement, PAYLOAD_TYPE, [key])
    _write(tree, submission, f"{_stem(key)}.verdict.json", envelope)


def _digest(submission: Submission) -> Sha256:
    if submission.statement_sha256 is None:
        raise ValueError("there is nothing to approve or to reject")
    return submission.statement_sha256


def _write(tree: Tree, submission: Submission, name: str, envelope: Envelope) -> None:
    tree.write(submission.directory / REVIEWS / name, envelope.data())


def _stem(key: PrivateKey) -> str:
    return key.public.id.removeprefix("sha256:")

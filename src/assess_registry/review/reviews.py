"""What lies in a submission's `reviews`, read and weighed: who approves, who rejects, and what counts no more.

    <key id>.json           the key's last word (`words`)
    <key id>.verdict.json   the key's signature over the statement, in the very envelope that clients will count it in

Of all that one reviewer said, with whichever key, the last word by its signed time counts. An approval says nothing of
any other statement: when the report, the policy, the lock or the permissions change, so does the statement, and an old
approval is shown as stale. A rejection is about the wheel itself: submitting it again does not lift it, nor does the
end of the key that made it. It stands until the same reviewer approves.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from assess_registry.control import Publishers
from assess_registry.dsse import MAX_ENVELOPE_BYTES, Envelope, parse_envelope
from assess_registry.errors import RegistryError, TrustError
from assess_registry.files import read_bounded
from assess_registry.keys import KeyId, PublicKey, TimedKey
from assess_registry.review.rules import Rules
from assess_registry.review.submissions import REVIEWS, Submission
from assess_registry.review.words import WORD_TYPE, Word, parse_word
from assess_registry.verdict import PAYLOAD_TYPE

POLICY = "policy"
"""In the place of a reviewer's name, where the audit key has approved."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What one key said.

    Attributes:
        key: whose; its signature is verified.
        reviewer: name of its holder; empty when the key is no reviewer's and not the audit's, or, for an approval, not
            at this time.
        approves: whether it is an approval.
        not_counted: why it counts no more; empty when it does.
        at: when it was said; for a key that has ended, at the latest when it ended. None for the audit's.
        reason: of a rejection.
        envelope: of an approval, the signature over the statement.
    """

    key: KeyId
    reviewer: str
    approves: bool
    not_counted: str
    at: datetime | None
    reason: str = ""
    envelope: Envelope

    @property
    def stale(self) -> bool:
        """Whether it counts no more."""
        return bool(self.not_counted)


def reviews_of(submission: Submission, *, rules: Rules, publisher: str) -> tuple[Review, ...]:
    """All that was said, in the order of the keys. A file that is no signed review is none, and left out."""
    said = _said(submission, rules.control)
    found = (*_by_policy(submission, said, rules), *_by_reviewers(submission, said, rules, publisher))
    return tuple(sorted(_last_words(found), key=lambda review: review.key))


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
    for each in reviews:
        if not each.approves and not each.stale and each.reviewer:
            raise TrustError(
                f"{each.reviewer} rejected it: {each.reason}",
                step="approval",
                thing=submission.filename,
                next_step="let its publisher correct it and submit another version, or talk to the reviewer",
            )


def holder_of(control: Publishers, key: PublicKey, *, publisher: str, at: datetime) -> str:
    """The reviewer whose key this is.

    Raises:
        TrustError: step `reviewer`; it is nobody's, not valid at this time, or the publisher's.
    """
    if any(each.key == key for each in (control.reviewers[publisher].keys if publisher in control.reviewers else ())):
        raise _refused(key.id, "a publisher does not approve their own wheels", "another reviewer", publisher)
    if any(each.key == key for each in control.publishers[publisher].keys):
        raise _refused(key.id, "the publisher's key does not approve", "a reviewer's key", f"a key of {publisher}")
    for name, timed in _reviewers_keys(control):
        if timed.key == key:
            if why := timed.invalid_because(at):
                raise _refused(key.id, "the reviewer's key does not count", "a valid key", why)
            return name
    known = ", ".join(sorted(control.reviewers)) or "nobody"
    raise _refused(key.id, "no reviewer of this registry has this key", f"a key of: {known}", "an unknown key")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """All that is signed by a key of this registry.

    Attributes:
        verdicts: signatures over a statement, by key and the statement's digest.
    """

    words: tuple[tuple[TimedKey, Word, Envelope], ...]
    verdicts: Mapping[tuple[KeyId, str], Envelope]


def _said(submission: Submission, control: Publishers) -> _Said:
    known = {timed.key.id: timed for use, timed in control.uses() if not use.startswith("publisher ")}
    words: dict[tuple[KeyId, bytes], tuple[TimedKey, Word, Envelope]] = {}  # a copy under another name says no more
    verdicts = {}
    for path in sorted((submission.directory / REVIEWS).glob("*.json")):
        try:
            envelope = parse_envelope(read_bounded(path, MAX_ENVELOPE_BYTES))
            (key,) = envelope.signers({key_id: timed.key for key_id, timed in known.items()})
            if len(envelope.signatures) != 1:
                continue
            if envelope.payload_type == WORD_TYPE:
                words[key, envelope.payload] = (known[key], parse_word(envelope.payload), envelope)
            elif envelope.payload_type == PAYLOAD_TYPE:
                verdicts[key, hashlib.sha256(envelope.payload).hexdigest()] = envelope
        except (RegistryError, ValueError):
            continue  # whoever can write here can also leave rubbish here
    return _Said(words=tuple(words.values()), verdicts=verdicts)


def _by_policy(submission: Submission, said: _Said, rules: Rules) -> Iterator[Review]:
    for timed in rules.control.audit_keys:
        for (key, _), envelope in said.verdicts.items():
            if key == timed.key.id:
                yield Review(
                    key=key,
                    reviewer=POLICY if timed.valid_at(rules.now) else "",
                    approves=True,
                    not_counted=_another_statement(submission, envelope),
                    at=None,
                    envelope=envelope,
                )


def _by_reviewers(submission: Submission, said: _Said, rules: Rules, publisher: str) -> Iterator[Review]:
    for timed, word, signed in said.words:
        if word.wheel_sha256 != submission.sha256:
            continue  # it was said of another wheel, and copied here
        now = _holder(timed.key, rules, publisher)
        if word.says == "rejects":
            # A key that has ended says nothing later than that; what it says it says of its holder's name.
            at = word.at if timed.valid_until is None else min(word.at, timed.valid_until)
            name = now or _former_holder(timed.key, rules, publisher)
            yield Review(
                key=timed.key.id,
                reviewer=name,
                approves=False,
                not_counted="",
                at=at,
                reason=word.reason,
                envelope=signed,
            )
        elif (verdict := said.verdicts.get((timed.key.id, word.statement_sha256))) is not None:
            early = "of a time that has not come" if word.at > rules.now else ""
            yield Review(
                key=timed.key.id,
                reviewer="" if early else now,
                approves=True,
                not_counted=early or _another_statement(submission, verdict),
                at=word.at,
                envelope=verdict,
            )


def _last_words(said: Iterable[Review]) -> Iterator[Review]:
    """The same, where all but each reviewer's last word count no more; of two of one time the rejection is the last."""
    reviews, last = tuple(said), dict[str, tuple[datetime, bool]]()
    for each in reviews:
        if each.at is not None and each.reviewer:
            last[each.reviewer] = max(last.get(each.reviewer, _order(each)), _order(each))
    for each in reviews:
        if each.at is not None and each.reviewer and _order(each) < last[each.reviewer]:
            yield replace(each, not_counted="taken back by a later word")
        else:
            yield each


def _order(review: Review) -> tuple[datetime, bool]:
    if review.at is None:
        raise ValueError("what the policy says has no time")
    return review.at, not review.approves


def _another_statement(submission: Submission, envelope: Envelope) -> str:
    return "" if envelope.payload == submission.statement else "of an earlier statement"


def _holder(key: PublicKey, rules: Rules, publisher: str) -> str:
    try:
        return holder_of(rules.control, key, publisher=publisher, at=rules.now)
    except TrustError:
        return ""


def _former_holder(key: PublicKey, rules: Rules, publisher: str) -> str:
    """The reviewer, not the publisher, who has or had this key."""
    return next((name for name, timed in _reviewers_keys(rules.control) if timed.key == key and name != publisher), "")


def _reviewers_keys(control: Publishers) -> Iterator[tuple[str, TimedKey]]:
    for name, reviewer in sorted(control.reviewers.items()):
        for timed in reviewer.keys:
            yield name, timed


def _refused(key: KeyId, message: str, expected: str, got: str) -> TrustError:
    return TrustError(
        message,
        step="reviewer",
        thing=key,
        expected=expected,
        got=got,
        next_step="let a reviewer who is named in registry.toml approve it, with their own key",
    )

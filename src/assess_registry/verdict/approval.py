"""Whether the signatures over a verdict suffice: one function, for those who publish and for every client.

check_approval(envelope, control=publishers, publisher="acme", at=published_at).by    ->    ("alice", "bob")
"""

from dataclasses import dataclass
from datetime import datetime

from assess_registry.control import Publishers
from assess_registry.dsse import Envelope
from assess_registry.errors import TrustError
from assess_registry.keys import KeyId
from assess_registry.verdict.statement import PAYLOAD_TYPE, Verdict, parse_verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """That a verdict counts, and by whose signatures.

    Attributes:
        verdict: what they signed.
        by: names of the reviewers, in order; empty when the policy approved.
        automatic: whether the policy did.
        keys: the keys whose signatures were counted.
    """

    verdict: Verdict
    by: tuple[str, ...]
    automatic: bool
    keys: tuple[KeyId, ...]

    def __str__(self) -> str:
        return f"approved-by: {'policy' if self.automatic else ', '.join(self.by)}"


def check_approval(envelope: Envelope, *, control: Publishers, publisher: str, at: datetime) -> Approval:
    """The envelope holds a verdict, and enough of those who may approve this publisher's work have signed it.

    1. The payload is a verdict, and was signed as one.
    2. By policy: the publisher is one whose work an audit may approve, and an audit key signed that is valid then.
    3. By reviewers: signatures of as many reviewers as the publisher needs, each by a key that is valid then. One
       counts once, whatever the number of their keys; the publisher never, neither by name nor with a key of theirs.

    Args:
        envelope: a `<wheel>.verdict.json`.
        control: who publishes and who reviews.
        publisher: whose wheel it is, as `Publishers.publisher_of` said.
        at: when the release was published, or now when it is about to be.

    Raises:
        TrustError: step `verdict`; it is none. Step `approval`; too few count, with the reason why each other does not.
    """
    if envelope.payload_type != PAYLOAD_TYPE:
        raise TrustError(
            "what was signed is not a statement",
            step="verdict",
            thing="verdict",
            expected=PAYLOAD_TYPE,
            got=envelope.payload_type,
            next_step="do not use what it is about; get the verdict again",
        )
    verdict = parse_verdict(envelope.payload)
    trust = control.publishers.get(publisher)
    if trust is None:
        raise _refused(verdict, f"there is no publisher {publisher!r}", "a publisher of this registry", publisher)
    if verdict.approved_by == "policy":
        return _by_policy(envelope, verdict, control, publisher, at)
    return _by_reviewers(envelope, verdict, control, publisher, at)


def _by_policy(envelope: Envelope, verdict: Verdict, control: Publishers, publisher: str, at: datetime) -> Approval:
    if not control.publishers[publisher].automatic:
        expected = f"signatures of reviewers: {publisher} is not in [policy] automatic_approval"
        raise _refused(verdict, "the policy approves nothing of this publisher", expected, "approved-by: policy")
    signed = envelope.signers({timed.key.id: timed.key for timed in control.audit_keys})
    valid = sorted(timed.key.id for timed in control.audit_keys if timed.key.id in signed and timed.valid_at(at))
    if not valid:
        got = _uncounted(envelope, control, publisher, at) or "no signature"
        raise _refused(verdict, "no audit key approved it", "the signature of an audit key that is valid", got)
    return Approval(verdict=verdict, by=(), automatic=True, keys=tuple(KeyId(key) for key in valid))


def _by_reviewers(envelope: Envelope, verdict: Verdict, control: Publishers, publisher: str, at: datetime) -> Approval:
    needed = control.publishers[publisher].approvals
    own = {timed.key.id for timed in control.publishers[publisher].keys}
    counted: dict[str, KeyId] = {}
    for name, reviewer in sorted(control.reviewers.items()):
        signed = envelope.signers({timed.key.id: timed.key for timed in reviewer.keys})
        valid = sorted(timed.key.id for timed in reviewer.keys if timed.key.id in signed - own and timed.valid_at(at))
        if valid and name != publisher:
            counted[name] = KeyId(valid[0])
    # Distinct names with distinct keys: `Publishers` holds no key twice, and nothing here relies on that.
    if min(len(counted), len(set(counted.values()))) < needed:
        got = f"{len(counted)}: {', '.join(counted) or 'nobody'}"
        if others := _uncounted(envelope, control, publisher, at):
            got += f"; not counted: {others}"
        message = "too few of those who may approve it have"
        raise _refused(verdict, message, f"{needed} reviewers, none of them {publisher}", got)
    return Approval(verdict=verdict, by=tuple(counted), automatic=False, keys=tuple(counted.values()))


def _uncounted(envelope: Envelope, control: Publishers, publisher: str, at: datetime) -> str:
    """Why each other signature does not count."""
    known = {timed.key.id: (use, timed) for use, timed in control.uses()}
    signed = envelope.signers({key_id: timed.key for key_id, (_, timed) in known.items()})
    reasons = []
    for key_id, _ in envelope.signatures:
        use, timed = known.get(key_id, ("", None))
        if timed is None:
            reasons.append(f"{key_id[:19]}… is nobody's key")
        elif key_id not in signed:
            reasons.append(f"the signature of {use} does not fit")
        elif why := timed.invalid_because(at):
            reasons.append(f"the key of {use} is {why}")
        elif use == f"reviewer {publisher}":
            reasons.append(f"{use} is the publisher")
        elif not use.startswith("reviewer "):
            reasons.append(f"{use} is no reviewer")
    return "; ".join(reasons)


def _refused(verdict: Verdict, message: str, expected: str, got: str) -> TrustError:
    return TrustError(
        message,
        step="approval",
        thing=verdict.filename,
        expected=expected,
        got=got,
        next_step="have it reviewed: assess-registry review approve; if it is published already, do not use it",
    )

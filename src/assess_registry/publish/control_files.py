"""The control files of a registry: what `registry.toml` says now, beside what was signed of it before.

`registry.toml` is a file on a disk, and what it says of keys decides whom clients believe. So a change of it is not
signed in passing: whoever holds the release keys is shown what differs and has to say that it is meant.
"""

import json
from datetime import date

from assess_registry.config import IndexConfig, Policy
from assess_registry.config.values import canonical_policy
from assess_registry.control import (
    POLICY_PATH,
    PUBLISHERS_PATH,
    REVOCATIONS_PATH,
    PolicyWord,
    Publishers,
    parse_policy_word,
)
from assess_registry.errors import TrustError
from assess_registry.keys import TimedKey
from assess_registry.repository import Repository
from assess_registry.review.published import signed_publishers, signed_revocations


def control_files(repository: Repository, config: IndexConfig, control: Publishers) -> dict[str, bytes]:
    """All three, as they have to be now; a policy that is replaced stays known, for verdicts under it still hold."""
    text = json.dumps(
        canonical_policy(config.policy),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
        default=date.isoformat,
    )
    before = repository.read(POLICY_PATH)
    old = None if before is None else parse_policy_word(before)
    earlier = (*old.earlier, old.sha256) if old else ()
    word = PolicyWord(sha256=config.policy.digest(), text=text, earlier=earlier)
    return {
        PUBLISHERS_PATH: control.data(),
        REVOCATIONS_PATH: signed_revocations(repository).data(),
        POLICY_PATH: word.data(),
    }


def require_meant(repository: Repository, control: Publishers, *, accepted: bool, policy: Policy) -> tuple[str, ...]:
    """What `registry.toml` says of people, keys and policy that is not signed yet.

    Raises:
        TrustError: step `control`; there is such a thing, and nobody said that it is meant. A registry that has signed
            nothing yet takes what it says.
    """
    old = signed_publishers(repository)
    if old is None:
        return ()
    changes = (*differences(old, control), *_policy_change(repository, policy))
    if changes and not accepted:
        raise TrustError(
            "it says other things than what was signed",
            step="control",
            thing="registry.toml",
            expected="publishers, reviewers, keys and policy as they were signed",
            got="; ".join(changes),
            next_step="if all of that is meant to be: --accept-registry-changes",
        )
    return changes


def _policy_change(repository: Repository, policy: Policy) -> tuple[str, ...]:
    before = repository.read(POLICY_PATH)
    signed = parse_policy_word(before).sha256 if before is not None else ""
    now = policy.digest()
    return () if signed in ("", now) else (f"now: policy sha256:{now}, before: sha256:{signed}",)


def differences(old: Publishers, new: Publishers) -> tuple[str, ...]:
    """What differs between the two, for people."""
    before, after = _facts(old), _facts(new)
    gone = [f"no longer: {fact}" for fact in sorted(before - after)]
    return (*gone, *(f"now: {fact}" for fact in sorted(after - before)))


def _facts(control: Publishers) -> frozenset[str]:
    facts = {f"{use} has {_key(timed)}" for use, timed in control.uses()}
    if control.development:
        facts.add("the registry is for development")
    for name, trust in control.publishers.items():
        facts.add(f"publisher {name} may publish {', '.join(trust.projects)}")
        who = "reviewers or the audit" if trust.automatic else "reviewers"
        facts.add(f"publisher {name} needs {trust.approvals} of the {who}")
    return frozenset(facts | {f"reviewer {name}" for name in control.reviewers})


def _key(timed: TimedKey) -> str:
    until = f" until {timed.valid_until.isoformat()}" if timed.valid_until else ""
    revoked = f", revoked: {timed.revoked}" if timed.revoked else ""
    return f"{timed.key.id} from {timed.valid_from.isoformat()}{until}{revoked}"

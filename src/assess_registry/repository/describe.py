"""A root in words, for who is about to sign it, and as a document for programs."""

from typing import Any

from assess_registry.repository.ceremony import Proposal
from assess_registry.repository.keys import TOP_ROLES, key_id
from assess_registry.repository.tuf_api import Root
from assess_registry.text import table

_MEANS = {
    "root": "say who the others are",
    "targets": "say what is published",
    "snapshot": "say what is current",
    "timestamp": "say what is current",
}


def describe_root(root: Root) -> str:
    """Version, end, and of each role its keys and how many of them have to sign."""
    rows = []
    for name in TOP_ROLES:
        role = root.roles[name]
        for number, each in enumerate(role.keyids):
            first = number == 0
            rows.append((name if first else "", f"{role.threshold} of {len(role.keyids)}" if first else "",
                         key_id(each), _MEANS[name] if first else ""))  # fmt: skip
    heading = f"root {root.version}, until {root.expires:%Y-%m-%d %H:%M}Z\n"
    return heading + table(("ROLE", "THRESHOLD", "KEYS", "WHICH"), rows)


def describe_proposal(proposal: Proposal) -> str:
    """A root that waits, and the signatures it has and lacks."""
    rows = [
        (
            f"root {count.version}",
            f"{len(count.signed)} of {count.threshold}",
            each,
            "yes" if each in count.signed else "",
        )
        for count in proposal.counts
        for each in sorted((*count.signed, *count.unsigned))
    ]
    return f"waiting: {describe_root(proposal.root)}{table(('KEYS OF', 'SIGNED', 'KEY', ''), rows)}"


def root_document(root: Root) -> dict[str, Any]:
    """The same for programs."""
    roles = {
        name: {"threshold": root.roles[name].threshold, "keys": [key_id(each) for each in root.roles[name].keyids]}
        for name in TOP_ROLES
    }
    return {"version": root.version, "expires": root.expires.isoformat(), "roles": roles}

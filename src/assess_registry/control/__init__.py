"""What a registry says about people, bad wheels and its policy: the TUF targets under `control/`.

These files are what clients judge by. They are made from `registry.toml` and signed by the release keys; no page or
file outside them can name a publisher, a reviewer or a key.

    Publishers.from_config(load_config(root)).publisher_of(key.id, project, at=published_at)    ->    "acme"
"""

from assess_registry.control.file import MAX_CONTROL_BYTES
from assess_registry.control.people import MAX_APPROVALS, PublisherTrust, ReviewerTrust, parse_pattern
from assess_registry.control.policy import POLICY_PATH, PolicyWord, parse_policy_word
from assess_registry.control.publishers import PUBLISHERS_PATH, Publishers, parse_publishers
from assess_registry.control.revocations import (
    REVOCATIONS_PATH,
    Revocations,
    RevokedWheel,
    parse_revocations,
)

CONTROL_PATHS = (PUBLISHERS_PATH, REVOCATIONS_PATH, POLICY_PATH)
"""TUF target paths, all in the top-level targets role."""

__all__ = [
    "CONTROL_PATHS",
    "MAX_APPROVALS",
    "MAX_CONTROL_BYTES",
    "POLICY_PATH",
    "PUBLISHERS_PATH",
    "REVOCATIONS_PATH",
    "PolicyWord",
    "PublisherTrust",
    "Publishers",
    "ReviewerTrust",
    "Revocations",
    "RevokedWheel",
    "parse_pattern",
    "parse_policy_word",
    "parse_publishers",
    "parse_revocations",
]

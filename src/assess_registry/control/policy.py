"""By which policy wheels are and were judged: the value of `control/policy.json`."""

import hashlib
from dataclasses import dataclass

from assess_registry.canonical import Members, decode, encode
from assess_registry.control.file import MAX_CONTROL_BYTES, SCHEMA, unreadable
from assess_registry.names import Sha256, parse_sha256

POLICY_PATH = "control/policy.json"

MAX_POLICIES = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyWord:
    """The policy in force, and which ones were before it: a verdict names the one it was reached under.

    Attributes:
        sha256: its version, the digest of `text`.
        text: the policy's canonical table, for people and for comparison.
        earlier: versions that were in force before; verdicts under them still hold.

    Raises:
        ValueError: the digest is not that of the text.
    """

    sha256: Sha256
    text: str
    earlier: tuple[Sha256, ...] = ()

    def __post_init__(self) -> None:
        if hashlib.sha256(self.text.encode()).hexdigest() != self.sha256:
            raise ValueError(f"sha256: {self.sha256[:80]!r} is not the digest of the text")
        for digest in self.earlier:
            parse_sha256(digest)
        object.__setattr__(self, "earlier", tuple(sorted({*self.earlier} - {self.sha256})))

    def knows(self, sha256: str) -> bool:
        """Whether a verdict under this version of the policy holds."""
        return sha256 == self.sha256 or sha256 in self.earlier

    def data(self) -> bytes:
        """The control file; the same for the same value."""
        page = {"schema": SCHEMA, "sha256": self.sha256, "text": self.text, "earlier": list(self.earlier)}
        return encode(page, max_bytes=MAX_CONTROL_BYTES)


def parse_policy_word(data: bytes) -> PolicyWord:
    """The value of a `control/policy.json`.

    Raises:
        TrustError: step `control`; it is anything else, or its digest is not that of its text.
    """
    try:
        return _policy_word(data)
    except ValueError as error:
        raise unreadable(POLICY_PATH, error) from error


def _policy_word(data: bytes) -> PolicyWord:
    page = Members.of(
        decode(data, max_bytes=MAX_CONTROL_BYTES), "control", required=("schema", "sha256", "text", "earlier")
    )
    page.exactly("schema", SCHEMA)
    word = PolicyWord(
        sha256=page.parsed("sha256", parse_sha256),
        text=page.parsed("text", str),
        earlier=page.strings("earlier", parse_sha256, max_items=MAX_POLICIES),
    )
    if word.data() != data:
        raise ValueError("earlier policies are not in their order")
    return word

"""What a reviewer says of a wheel, and when: signed, so that of two words the later one is known.

An approval that clients count is a signature over the verdict's statement, the same bytes for all who approve, and so
has no time of its own. Beside it stands the reviewer's word: which wheel, which statement, yes or no, since when. An
approval without such a word is none, and one that is older than the same reviewer's rejection is taken back.

    sign_word(Word(says="rejects", wheel_sha256=..., statement_sha256=..., at=now, reason="reads too much"), key)
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assess_registry.canonical import Members, decode, encode, parse_text, require_zone, write_time
from assess_registry.dsse import Envelope, sign_envelope
from assess_registry.keys import PrivateKey
from assess_registry.names import Sha256, parse_sha256

WORD_TYPE = "application/vnd.assess.review+json"
MAX_WORD_BYTES = 16 << 10
SCHEMA = 1

Says = Literal["approves", "rejects"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One reviewer's word.

    Attributes:
        wheel_sha256: what a rejection is about, whatever it is submitted with.
        statement_sha256: what an approval is about, and what was looked at.
        reason: of a rejection; empty for an approval.

    Raises:
        ValueError: one of them is malformed, or a rejection gives no reason.
    """

    says: Says
    wheel_sha256: Sha256
    statement_sha256: Sha256
    at: datetime
    reason: str = ""

    def __post_init__(self) -> None:
        if self.says not in ("approves", "rejects"):
            raise ValueError(f"expected approves or rejects, got {self.says!r:.80}")
        parse_sha256(self.wheel_sha256)
        parse_sha256(self.statement_sha256)
        require_zone(self.at)
        if self.says == "rejects":
            parse_text(self.reason)
        elif self.reason:
            raise ValueError("reason: an approval has none")

    def data(self) -> bytes:
        """The document; the same for the same value."""
        return encode(
            {
                "schema": SCHEMA,
                "says": self.says,
                "wheel": {"sha256": self.wheel_sha256},
                "statement": {"sha256": self.statement_sha256},
                "at": write_time(self.at),
                **({"reason": self.reason} if self.reason else {}),
            }
        )


def sign_word(word: Word, key: PrivateKey) -> Envelope:
    """The word, signed."""
    return sign_envelope(word.data(), WORD_TYPE, [key])


def parse_word(data: bytes) -> Word:
    """The word in a document.

    Raises:
        ValueError: it is none.
    """
    members = Members.of(
        decode(data, max_bytes=MAX_WORD_BYTES),
        "review",
        required=("schema", "says", "wheel", "statement", "at"),
        optional=("reason",),
    )
    members.exactly("schema", SCHEMA)
    return Word(
        says=members.parsed("says", _says),
        wheel_sha256=_sha256(members, "wheel"),
        statement_sha256=_sha256(members, "statement"),
        at=members.time("at"),
        reason=members.text("reason") if "reason" in members.values else "",
    )


def _says(text: str) -> Says:
    if text == "approves":
        return "approves"
    if text == "rejects":
        return "rejects"
    raise ValueError(f"expected approves or rejects, got {text[:80]!r}")


def _sha256(members: Members, key: str) -> Sha256:
    return Members.of(members.values[key], members.at(key), required=("sha256",)).parsed("sha256", parse_sha256)

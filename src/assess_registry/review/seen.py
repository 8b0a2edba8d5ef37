"""What a reviewer has looked at: the digest of the statement, as `review show` prints it and `review approve` wants it.

A submission is a directory, and what lies there when somebody approves need not be what lay there when they looked.
"""

import re
from pathlib import Path

from assess_registry.errors import ConfigError, TrustError
from assess_registry.review.submissions import Submission, statement_digests

MIN_SEEN = 12
"""Digits of the digest that have to be given: enough against accidents; against who searches for others, give all."""

_SEEN = re.compile(r"[0-9a-f]{12,64}\Z")


def require_seen(submission: Submission, seen: str) -> None:
    """The submission's statement is the one that was looked at.

    Raises:
        ConfigError: `seen` is no digest, or not enough of one.
        TrustError: step `seen`; it is another.
    """
    if submission.statement_sha256 is None or not submission.statement_sha256.startswith(_digits(seen)):
        raise TrustError(
            "its statement is not the one that was looked at: something was changed or submitted again since",
            step="seen",
            thing=f"{submission.filename} (submission {submission.sha256})",
            expected=f"a statement sha256:{_digits(seen)}",
            got=f"sha256:{submission.statement_sha256}" if submission.statement_sha256 else "none",
            next_step="look again: assess-registry review show; find out what was exchanged before you approve it",
        )


def require_one_seen(root: Path, submission: Submission, seen: str) -> None:
    """No other submission has a statement that begins so.

    Raises:
        ConfigError: another one does.
    """
    for directory, digest in statement_digests(root):
        if directory != submission.directory and digest.startswith(_digits(seen)):
            raise ConfigError(f"--statement {seen}: {directory.name} has one that begins so as well; give more of it")


def _digits(seen: str) -> str:
    digits = seen.removeprefix("sha256:")
    if not _SEEN.match(digits):
        raise ConfigError(
            f"--statement {seen[:80]!r}: expected the digest that review show prints, or at least its first {MIN_SEEN} "
            "digits, as sha256:0123456789ab"
        )
    return digits

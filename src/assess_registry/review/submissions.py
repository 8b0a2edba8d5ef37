"""Wheels on their way into a registry: one directory each, named by the wheel's digest.

    .submissions/<sha256>/
        WHEEL, WHEEL.sig, pylock.toml, pylock.toml.sig    as they will be published
        closure/*.whl                                     what the lock names besides; absent where that is nothing
        audit.json, sbom.cdx.json, audit.dsse.json        what the audit said, and its key's signature over all of it
        statement.json                                    what reviewers sign; absent where the audit rejected the wheel
        reviews/*.json                                    what was said of it: `reviews`

Nothing here is believed for lying here. The statement is written last and taken away first, so that a submission
whose writer was killed has none and cannot be approved; submitting again completes it. Whoever changes a submission
holds the registry's lock.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from assess_registry.catalogue import ATTESTATION_NAME, SBOM_NAME
from assess_registry.dsse import MAX_ENVELOPE_BYTES
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import read_bounded, sync_directory
from assess_registry.index.folder import WheelFolder
from assess_registry.index.tree import WHEEL_SUFFIX, Tree
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES
from assess_registry.names import Sha256, parse_sha256
from assess_registry.signatures import SIGNATURE_FILE_BYTES, SIGNATURE_SUFFIX
from assess_registry.wheel import MAX_WHEEL_BYTES

SUBMISSIONS = ".submissions"
CLOSURE, REVIEWS = "closure", "reviews"
REPORT_NAME, STATEMENT_NAME = "audit.json", "statement.json"

MAX_REPORT_BYTES = 32 << 20
MAX_STATEMENT_BYTES = 256 << 10

MIN_PREFIX = 6
"""Hexadecimal digits that name a submission, as long as they name only one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """One wheel, and all that will be published with it.

    Attributes:
        directory: where it lies.
        sha256: of the wheel, as the directory is named and as its bytes are.
        lock_signature, signature: contents of the publisher's `.sig` files.
        sbom: None where the audit made none.
        attestation: the audit's signed word; None where there is none, and nothing here is believed.
        statement: what reviewers sign; None where there is nothing to approve.
    """

    directory: Path
    sha256: Sha256
    filename: str
    data: bytes
    signature: bytes
    lock: bytes
    lock_signature: bytes
    report: bytes
    sbom: bytes | None
    attestation: bytes | None
    statement: bytes | None

    @property
    def sbom_sha256(self) -> Sha256 | None:
        """Digest of the SBOM, where there is one."""
        return None if self.sbom is None else Sha256(hashlib.sha256(self.sbom).hexdigest())

    @property
    def statement_sha256(self) -> Sha256 | None:
        """Digest of what reviewers sign, where there is something to sign."""
        return None if self.statement is None else Sha256(hashlib.sha256(self.statement).hexdigest())

    @property
    def closure(self) -> Mapping[str, bytes]:
        """The wheels its lock names besides its own."""
        directory = self.directory / CLOSURE
        # Not there when there are none: nobody writes an empty directory, and git would keep none.
        return WheelFolder(directory) if directory.exists() else {}


def submissions_directory(root: Path) -> Path:
    """Where a registry keeps them."""
    return root / SUBMISSIONS


def write_submission(tree: Tree, submission: Submission, closure: Mapping[str, bytes]) -> None:
    """The submission is on disk, whole; reviews of a statement that reads differently no longer count by themselves.

    Holds for the owner of the registry's lock; `closure` is what lies beside it afterwards, and nothing else.
    """
    directory = submission.directory
    statement = directory / STATEMENT_NAME
    if statement.is_file() and statement.read_bytes() != submission.statement:
        statement.unlink()
        sync_directory(directory)
    for filename, data in closure.items():
        tree.write(directory / CLOSURE / filename, data)
    for stale in sorted(set(_names(directory / CLOSURE)) - set(closure)):
        (directory / CLOSURE / stale).unlink()
    tree.write(directory / submission.filename, submission.data)
    tree.write(directory / (submission.filename + SIGNATURE_SUFFIX), submission.signature)
    tree.write(directory / LOCK_NAME, submission.lock)
    tree.write(directory / (LOCK_NAME + SIGNATURE_SUFFIX), submission.lock_signature)
    for name, optional in ((SBOM_NAME, submission.sbom), (ATTESTATION_NAME, submission.attestation)):
        if optional is not None:
            tree.write(directory / name, optional)
        else:
            (directory / name).unlink(missing_ok=True)
    tree.write(directory / REPORT_NAME, submission.report)
    if submission.statement is not None:
        tree.write(statement, submission.statement)


def load_submission(directory: Path) -> Submission:
    """The submission in this directory.

    Raises:
        ConfigError: there is none, or its writer was interrupted.
        TrustError: step `submission`; the wheel is not the one that was submitted.
    """
    try:
        sha256 = parse_sha256(directory.name)
        wheels = [name for name in _names(directory) if name.endswith(WHEEL_SUFFIX)]
        if len(wheels) != 1:
            raise ConfigError(f"{directory}: not a complete submission: expected one wheel, got {len(wheels)}")
        filename = wheels[0]
        data = read_bounded(directory / filename, MAX_WHEEL_BYTES)
        submission = Submission(
            directory=directory,
            sha256=sha256,
            filename=filename,
            data=data,
            signature=read_bounded(directory / (filename + SIGNATURE_SUFFIX), SIGNATURE_FILE_BYTES),
            lock=read_bounded(directory / LOCK_NAME, MAX_LOCK_BYTES),
            lock_signature=read_bounded(directory / (LOCK_NAME + SIGNATURE_SUFFIX), SIGNATURE_FILE_BYTES),
            report=read_bounded(directory / REPORT_NAME, MAX_REPORT_BYTES),
            sbom=_optional(directory / SBOM_NAME, MAX_REPORT_BYTES),
            attestation=_optional(directory / ATTESTATION_NAME, MAX_ENVELOPE_BYTES),
            statement=_optional(directory / STATEMENT_NAME, MAX_STATEMENT_BYTES),
        )
    except FileNotFoundError as error:
        what = f"{error.filename} is missing; submit again"
        raise ConfigError(f"{directory}: not a complete submission: {what}") from error
    except OSError as error:  # a loop of links, a directory: one that cannot be read must not stop the others
        what = f"{error.filename}: {error.strerror}"
        raise ConfigError(f"{directory}: not a submission: {what}") from error
    except ValueError as error:
        raise ConfigError(f"{directory}: not a submission: {error}") from error
    got = hashlib.sha256(data).hexdigest()
    if got != sha256:
        raise TrustError(
            "it is not the wheel that was submitted",
            step="submission",
            thing=str(directory / filename),
            expected=f"sha256 {sha256}",
            got=f"sha256 {got}",
            next_step="find out who changed it, and submit the wheel again",
        )
    return submission


def signed_wheel(directory: Path) -> tuple[bytes, bytes] | None:
    """The wheel and its `.sig`, of a submission that may lack everything else; None where one of them is missing."""
    try:
        (wheel,) = [path for path in sorted(directory.iterdir()) if path.name.endswith(WHEEL_SUFFIX)]
        signature = wheel.with_name(wheel.name + SIGNATURE_SUFFIX)
        return read_bounded(wheel, MAX_WHEEL_BYTES), read_bounded(signature, SIGNATURE_FILE_BYTES)
    except (OSError, ValueError, ConfigError):
        return None


def directories(root: Path) -> Iterator[Path]:
    """The directory of every submission, complete or not, in the order of their names."""
    top = submissions_directory(root)
    for name in sorted(_names(top)):
        try:
            parse_sha256(name)
        except ValueError:
            continue
        yield top / name


def statement_digests(root: Path) -> Iterator[tuple[Path, Sha256]]:
    """The directory of every submission that has something to approve, and the digest of that."""
    for directory in directories(root):
        data = _optional(directory / STATEMENT_NAME, MAX_STATEMENT_BYTES)
        if data is not None:
            yield directory, Sha256(hashlib.sha256(data).hexdigest())


def find_submission(root: Path, word: str) -> Submission:
    """The one submission that is meant: by its digest or the beginning of it, or by its wheel's filename.

    Raises:
        ConfigError: none or several are meant, or it is not complete.
        TrustError: as `load_submission`.
    """
    found = [path for path in directories(root) if _is_meant(path, word)]
    if len(found) != 1:
        names = ", ".join(path.name[:12] for path in found) or "there is none"
        raise ConfigError(f"{word}: expected one submission, got {len(found)} ({names}); see: review list")
    return load_submission(found[0])


def _is_meant(directory: Path, word: str) -> bool:
    word = word.removeprefix("sha256:").rstrip("/").rpartition("/")[2]
    if len(word) >= MIN_PREFIX and directory.name.startswith(word):
        return True
    return word.endswith(WHEEL_SUFFIX) and (directory / word).is_file()


def _names(directory: Path) -> tuple[str, ...]:
    if not directory.is_dir():
        return ()
    return tuple(sorted(path.name for path in directory.iterdir() if not path.name.startswith(".")))


def _optional(path: Path, max_bytes: int) -> bytes | None:
    try:
        return read_bounded(path, max_bytes)
    except FileNotFoundError:
        return None

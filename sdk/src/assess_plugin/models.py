"""The values that pass between a plugin and the runtime.

Everything here is frozen, built from the standard library, and checked when it is made, so that a value which exists
is a value which may be sent. Strings are text for people unless a name says otherwise; text that a plugin supplies is
treated as hostile by whoever receives it.

    CheckResult(check_id="sysctl-kptr", outcome=Outcome.FAIL, reason="it is 0", expected="1", actual="0")
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, BinaryIO, Literal, Protocol, Self

API_VERSIONS = ("1.0", "1.1", "1.2", "1.3")
"""The plugin APIs that this distribution serves, rising; a manifest's `api` specifier must admit one of them."""

API_VERSION = API_VERSIONS[-1]
"""The newest of them."""

MAX_TEXT = 4096
"""Characters kept of a reason, an expected or actual value, a remediation; longer text belongs in evidence."""

MAX_ID = 128
"""Characters of a check, subject or evidence name."""

MAX_PROBLEMS = 100
"""Of one `EvaluateResult`."""

SubjectType = Literal["component", "inventory-item", "location", "party", "resource", "user"]
"""OSCAL's subject types (assessment-results, `subject-reference/@type`)."""

SUBJECT_TYPES: frozenset[str] = frozenset(("component", "inventory-item", "location", "party", "resource", "user"))
LogLevel = Literal["debug", "info", "warning", "error"]


class Outcome(StrEnum):
    """What a plugin may say of one check. None of them is a default and none of them is falsy."""

    PASS = "pass"  # noqa: S105  a verdict, not a password
    FAIL = "fail"
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"
    ERROR = "error"


NEEDS_REASON = (Outcome.SKIPPED, Outcome.ERROR, Outcome.NOT_APPLICABLE)
"""Outcomes that say nothing unless they say why. (No set: an enumeration's hash is slower than comparing three.)"""


class HostError(Exception):
    """The host could not do what was asked; the message says what and why."""


class Denied(HostError):
    """The plugin's manifest does not permit this; the message names the line that would."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """A piece of evidence that the host has taken; a result refers to it by name."""

    name: str
    media_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """What one check found on one subject.

    `remediation` (plugin API 1.1) says what to do about it on this very subject, instead of what the manifest says for
    every one. What in it comes from the subject is quoted by whoever writes it: somebody may paste it into a shell.

    Raises:
        ValueError: an id is empty or too long, a text is too long, or the outcome needs a reason and has none.
        TypeError: the outcome is not an `Outcome`, or a text is not a string.
    """

    check_id: str
    outcome: Outcome
    reason: str = ""
    expected: str | None = None
    actual: str | None = None
    evidence: tuple[Evidence, ...] = ()
    remediation: str | None = None

    def __post_init__(self) -> None:
        # One expression where nothing is wrong: one of these is made for each check of each subject, on either end.
        given: Any = self  # whose annotations are not to be believed yet
        check_id, outcome, reason = given.check_id, given.outcome, given.reason
        expected, actual, remediation = given.expected, given.actual, given.remediation
        if not (
            isinstance(outcome, Outcome)
            and isinstance(check_id, str)
            and 0 < len(check_id) <= MAX_ID
            and check_id.isprintable()
            and isinstance(reason, str)
            and len(reason) <= MAX_TEXT
            and (expected is None or (isinstance(expected, str) and len(expected) <= MAX_TEXT))
            and (actual is None or (isinstance(actual, str) and len(actual) <= MAX_TEXT))
            and (remediation is None or (isinstance(remediation, str) and len(remediation) <= MAX_TEXT))
            and (outcome not in NEEDS_REASON or reason.strip())
        ):
            self._refuse()

    def _refuse(self) -> None:
        if not isinstance(self.outcome, Outcome):
            raise TypeError(f"outcome of {self.check_id!r} must be an Outcome, got {self.outcome!r}")
        _require_id("check_id", self.check_id)
        _require_text("reason of {!r}", self.reason, self.check_id)
        for name in ("expected", "actual", "remediation"):
            if getattr(self, name) is not None:
                _require_text(f"{name} of {{!r}}", getattr(self, name), self.check_id)
        raise ValueError(f"{self.outcome.value} result of {self.check_id!r} needs a reason")


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A thing that is assessed: a host, an account, a bucket.

    `id` is stable between runs and unique within a runtime, for example `host:web-01`.
    """

    id: str
    type: SubjectType
    title: str
    labels: Mapping[str, str] = field(default_factory=dict)
    props: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given: Any = self  # as for `CheckResult`
        subject_id, title = given.id, given.title
        if (
            isinstance(subject_id, str)
            and 0 < len(subject_id) <= MAX_ID
            and subject_id.isprintable()
            and isinstance(title, str)
            and len(title) <= MAX_TEXT
            and given.type in SUBJECT_TYPES
        ):
            return
        _require_id("subject id", self.id)
        _require_text("title of {!r}", self.title, self.id)
        if self.type not in SUBJECT_TYPES:
            raise ValueError(f"subject {self.id!r} has type {self.type!r}, not one of {sorted(SUBJECT_TYPES)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandResult:
    """How a granted command ended. `exit_code` is negative for a signal; output over the host's cap is cut."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FileStatus:
    """What `stat` says of one path, symbolic links not followed. `mode` includes the file type bits."""

    mode: int
    uid: int
    gid: int
    size: int


class Host(Protocol):
    """The only way in which a plugin affects or observes the world.

    The parent checks each use against the manifest, does it, and records it as provenance. All methods may raise
    `Denied` (the manifest does not allow it) and `HostError` (it was allowed and could not be done).
    """

    def run(self, argv: Sequence[str], *, timeout_s: float = 30.0) -> CommandResult:
        """Run one command whose argv matches a pattern in `permissions.commands`, without a shell, and wait."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Open a regular file below a path in `permissions.read` for reading.

        Raises:
            OSError: as `open` would, with `errno` set (`FileNotFoundError`, `PermissionError` ...).
        """
        ...

    def stat(self, path: str) -> FileStatus:
        """Status of a path below `permissions.read` or `permissions.stat`; needs no right to read the file.

        Raises:
            OSError: as `os.lstat` would, with `errno` set.
        """
        ...

    def connect(self, host: str, port: int, *, timeout_s: float = 30.0) -> Any:
        """A connected TCP socket (`socket.socket`) to a peer in `permissions.network` (plugin API 1.2).

        The runtime resolves the name. TLS is the plugin's, and so is closing: with the call it ends anyway.

        Raises:
            OSError: as connecting would, with `errno` set (`ConnectionRefusedError`, `TimeoutError` ...).
        """
        ...

    def secret(self, name: str) -> str:
        """A secret that is named in `permissions.secrets` and given by the operator (plugin API 1.2).

        Whatever the plugin says afterwards, the runtime takes the secret out of it.
        """
        ...

    def log(self, message: str, level: LogLevel = "info") -> None:
        """Write one line to the operator's log."""
        ...

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Say how far the current call has come."""
        ...

    def evidence(self, name: str, data: bytes, media_type: str = "text/plain") -> Evidence:
        """Hand over evidence; put the returned value into `CheckResult.evidence`. Names are unique in a call."""
        ...

    def attribute(self, check_id: str) -> "Attribution":
        """What is done inside this context is recorded as provenance of that check alone."""
        ...


class Attribution(Protocol):
    """The context manager that `Host.attribute` returns."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class NoHost:
    """The host of an input outside a worker: every use fails."""

    def __getattr__(self, name: str) -> Any:
        raise HostError(f"host.{name} was used outside a worker; only a plugin's process has a host")

    def __repr__(self) -> str:
        return "NO_HOST"


NO_HOST: Any = NoHost()


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionInput:
    """One subject to assess, the check ids asked for, and the validated settings (all keys of the manifest)."""

    subject: Subject
    checks: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    host: Host = NO_HOST

    @property
    def props(self) -> Mapping[str, str]:
        """What the provider handed over with the subject."""
        return self.subject.props


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionOutput:
    """Exactly one result for each check asked for; a missing one becomes `error: not reported`."""

    results: tuple[CheckResult, ...]

    def __post_init__(self) -> None:
        for result in self.results:
            if not isinstance(result, CheckResult):
                raise TypeError(f"ActionOutput.results must hold CheckResult values only, got {result!r}"[:500])


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateInput:
    """Which subjects does this selector match? `runtime` and `labels` are those of the asking runtime."""

    selector: Mapping[str, Any]
    runtime: str
    labels: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    host: Host = NO_HOST


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateResult:
    """The subjects found, each id once.

    `problems` (plugin API 1.3) says what else there may be and could not be found: a row that could not be read, a part
    of the network that did not answer, a subject asked for by name that is not there. What was found is assessed, and
    the assessment is incomplete. Without any, these subjects are all there are.

    Raises:
        ValueError: an id comes twice, a problem is blank or too long, or there are more than `MAX_PROBLEMS`.
        TypeError: something else than a subject is among the subjects, something else than text among the problems.
    """

    subjects: tuple[Subject, ...]
    problems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.problems) > MAX_PROBLEMS:
            raise ValueError(f"{len(self.problems)} problems, more than {MAX_PROBLEMS}: sum up (selecting.limited)")
        for problem in self.problems:
            _require_text("a problem of EvaluateResult", problem, "")
            if not problem.strip():
                raise ValueError("a problem of EvaluateResult is blank: say what could not be found, and why")
        if not all(isinstance(subject, Subject) for subject in self.subjects):
            raise TypeError("EvaluateResult.subjects must hold Subject values only")
        ids = [subject.id for subject in self.subjects]
        twice = sorted({name for name in ids if ids.count(name) > 1}) if len(set(ids)) != len(ids) else []
        if twice:
            raise ValueError(f"subject ids reported twice: {', '.join(twice)}")


def _require_id(what: str, value: object) -> None:
    if not isinstance(value, str) or not value or len(value) > MAX_ID or not value.isprintable():
        raise ValueError(f"{what} must be 1 to {MAX_ID} printable characters, got {value!r}"[: MAX_ID * 2])


def _require_text(what: str, value: object, whose: str) -> None:
    """`what` names the thing, with `{!r}` where `whose` goes: put together only when something is wrong."""
    if not isinstance(value, str):
        raise TypeError(f"{what.format(whose)} must be a string, got {type(value).__name__}")
    if len(value) > MAX_TEXT:
        raise ValueError(
            f"{what.format(whose)} has {len(value)} characters, more than {MAX_TEXT}: hand it over as evidence"
        )

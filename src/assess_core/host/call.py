"""One call to a plugin: what it may still send, what it has sent, and what that comes to.

Pure state: messages go in, answers and a report come out; the process, the socket and the clock belong to the worker.
Two ways to fail: `ViolationError` ends the worker, `ReplyError` the call alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event
from typing import Any

from assess_core.call_record import CallRecord, EvidenceData, Held, Provenance, Used
from assess_core.host.aside import aside
from assess_core.host.messages import Evaluated, Evidence, Executed, Incomplete, Log, Refused, Request, Taken
from assess_core.host.messages import Progress as ProgressMessage
from assess_core.host.redaction import Redactor
from assess_core.host.values import CallReport, EvaluateReport, LogLine, OnEvent, Progress
from assess_plugin.api import ApiError, require_api, require_found_api
from assess_plugin.models import (
    API_VERSION,
    MAX_ID,
    MAX_PROBLEMS,
    MAX_TEXT,
    ActionOutput,
    CheckResult,
    EvaluateResult,
    Outcome,
    Subject,
)
from assess_plugin.wire import (
    HEADER,
    MAX_CALL_BYTES,
    MAX_EVIDENCE_BYTES,
    MAX_EVIDENCE_NAMES,
    MAX_NOTICE_BYTES,
    MAX_NOTICES,
    MAX_REQUESTS,
)

NOT_REPORTED = "not reported"

BUDGETS = '(docs/wire.md, "Budgets, for each call")'
"""Where limits stand that are everybody's and in no manifest."""

_APART = "\x01"
"""Between texts that are searched as one: where nothing is found in all of it, nothing is in any of them."""

MAX_SUBJECTS = 10_000
"""Of one `evaluate` call."""


class ViolationError(Exception):
    """The child broke docs/wire.md and is not to be listened to any more."""


class ReplyError(Exception):
    """The reply is complete and wrong."""


@dataclass(kw_only=True, slots=True)
class _Piece:
    """A piece of evidence while its chunks come in, and afterwards.

    Attributes:
        marks: of the redactor, when what it knew was taken out of the data.
    """

    media_type: str
    check: str | None
    data: bytes | bytearray = field(default_factory=bytearray)
    marks: int = 0


class Call:
    """A call that was sent and has not been replied to.

    Args:
        number: counts a worker's calls.
        reply: the message that answers it.
        checks: ids asked for, in order.
        redactor: takes secrets out of whatever the plugin says, and is told of new ones meanwhile.
    """

    def __init__(
        self,
        number: int,
        *,
        reply: type[Executed] | type[Evaluated],
        checks: tuple[str, ...] = (),
        now: datetime,
        on_event: OnEvent | None = None,
        api: str = API_VERSION,
        redactor: Redactor | None = None,
    ) -> None:
        self.number = number
        self._redactor = Redactor() if redactor is None else redactor
        self._api = api
        self._reply = reply
        self.started_at = now
        self._checks = dict.fromkeys(checks)
        self._on_event = on_event
        self._bytes = 0
        self._notices = 0
        self._notice_bytes = 0
        self._requests = 0
        self._evidence: dict[str, _Piece] = {}
        self._unfinished: str | None = None
        self._evidence_bytes = 0
        self._provenance: dict[tuple[str | None, str], Provenance] = {}
        self._results: list[CheckResult] = []
        self._subjects: list[Subject] = []
        self._problems: list[str] = []

    def count(self, number: int, body_bytes: int) -> None:
        """A message of this call came; raises `ViolationError` when it is of another call or one too many."""
        if number != self.number:
            raise ViolationError(f"sent a message of call {number} during call {self.number}")
        self._bytes += HEADER + body_bytes
        if self._bytes > MAX_CALL_BYTES:
            raise ViolationError(f"sent more than {MAX_CALL_BYTES} bytes in one call {BUDGETS}")

    def notice(self, message: Log | ProgressMessage, body_bytes: int) -> None:
        """Pass a log line or progress on."""
        self._notices += 1
        self._notice_bytes += HEADER + body_bytes
        if self._notices > MAX_NOTICES or self._notice_bytes > MAX_NOTICE_BYTES:
            raise ViolationError(f"sent more than {MAX_NOTICES} log lines and progress messages in one call {BUDGETS}")
        if self._on_event is None:
            return
        if isinstance(message, Log):
            self._on_event(LogLine(level=message.level, message=self._line(message.message)))
        else:
            self._on_event(Progress(done=message.done, total=message.total, note=self._line(message.note)))

    def request(self, message: Request) -> Refused | Taken | None:
        """Admit a request; its answer when that needs nothing from outside, None when the broker is to answer."""
        self._requests += 1
        if message.id != self._requests:
            raise ViolationError(f"sent request {message.id} where {self._requests} was due")
        if message.check is not None and message.check not in self._checks:
            raise ViolationError(f"sent a request for check {message.check!r}, which was not asked for")
        if self._requests > 2 * MAX_REQUESTS:
            raise ViolationError(f"sent more than {2 * MAX_REQUESTS} requests in one call {BUDGETS}")
        if self._requests > MAX_REQUESTS:
            return _refused(message, f"this call has made its {MAX_REQUESTS} requests")
        return self._take(message) if isinstance(message, Evidence) else None

    @property
    def unclean(self) -> bool:
        """Whether a secret that is known by now may be in evidence."""
        return any(True for _ in self._unclean())

    async def clean(self) -> None:
        """No secret that is known by now is in evidence, which is searched in a thread: it may be megabytes."""
        for piece in tuple(self._unclean()):
            marks, abandoned = self._redactor.marks, Event()
            try:
                piece.data = await aside(_cleaned, piece.data, self._redactor, abandoned)
            finally:
                abandoned.set()
            piece.marks = marks

    def _unclean(self) -> Iterator[_Piece]:
        for name, piece in self._evidence.items():
            if name != self._unfinished and piece.marks != self._redactor.marks:
                yield piece

    def record(self, check: str | None, what: Mapping[str, Any]) -> None:
        """Remember a use of the host; one that repeats another adds nothing."""
        what = self._redactor.value(what)
        self._provenance.setdefault((check, repr(what)), Provenance(check=check, what=what))

    def _line(self, text: str) -> str:
        return self._redactor.line(text)

    def add(self, part: Executed | Evaluated) -> bool:
        """Keep a part of the reply; whether it was the last."""
        if type(part) is not self._reply:
            raise ViolationError(f"replied {type(part).__name__.lower()} to a call that is not answered so")
        if isinstance(part, Executed):
            # One too many is kept, which is surely unknown or a repetition; a flood of them is only counted.
            self._results += part.results[: len(self._checks) + 1 - len(self._results)]
        else:
            self._subjects += part.subjects[: MAX_SUBJECTS + 1 - len(self._subjects)]
        return not part.more

    def fall_short(self, message: Incomplete) -> None:
        """Keep what could not be found."""
        if self._reply is not Evaluated:
            raise ViolationError("said what it could not find in a call that looks for nothing")
        self._problems += message.problems[: MAX_PROBLEMS + 1 - len(self._problems)]

    def call_report(self, duration_ms: int, *, held: Held, used: Used | None = None) -> CallReport:
        """The report of a complete `execute` reply.

        Raises:
            ReplyError: an id was not asked for or comes twice, a result names evidence that was never handed over, or
                says what the plugin API that is served has no word for.
        """
        results = tuple(self._results)
        if [result.check_id for result in results] != list(self._checks):  # the usual reply is complete and in order
            results = self._ordered(results)
        try:
            require_api(results, self._api)
        except ApiError as error:
            raise self._wrong(str(error)) from error
        for result in results:
            if result.evidence:
                self._require_evidence(result)
        return CallReport(
            output=ActionOutput(results=self._without_secrets(results)), **self._so_far(duration_ms, held, used)
        )

    def _without_secrets(self, results: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
        if not self._redactor.knows_any:
            return results
        return tuple(
            replace(
                result,
                reason=self._short(result.reason) or "",
                expected=self._short(result.expected),
                actual=self._short(result.actual),
                remediation=self._short(result.remediation),
            )
            for result in results
        )

    def _short(self, text: str | None) -> str | None:
        return None if text is None else self._redactor.text(text)[:MAX_TEXT]

    def _ordered(self, results: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
        found: dict[str, CheckResult] = {}
        for result in results:
            if result.check_id not in self._checks:
                raise self._wrong(f"reported check {result.check_id!r}, which was not asked for")
            if result.check_id in found:
                raise self._wrong(f"reported check {result.check_id!r} twice")
            found[result.check_id] = result
        return tuple(found.get(check) or _not_reported(check) for check in self._checks)

    def evaluate_report(self, duration_ms: int, *, held: Held, used: Used | None = None) -> EvaluateReport:
        """The report of a complete `evaluate` reply.

        Raises:
            ReplyError: a subject comes twice, there are more than `MAX_SUBJECTS`, or what it says it could not find is
                nothing that `EvaluateResult` can hold, or that the plugin API which is served has.
        """
        if len(self._subjects) > MAX_SUBJECTS:
            raise self._wrong(f"found more than {MAX_SUBJECTS} subjects; divide them by selector")
        try:
            require_found_api(self._problems, self._api)
            result = EvaluateResult(
                subjects=tuple(map(self._subject, self._subjects)),
                problems=tuple(self._short(problem) or "" for problem in self._problems),
            )
        except ValueError as error:
            raise self._wrong(str(error)) from error
        return EvaluateReport(result=result, **self._so_far(duration_ms, held, used))

    def _subject(self, subject: Subject) -> Subject:
        if not self._redactor.knows_any or self._is_clean(subject):
            return subject
        clean = self._redactor.value
        return replace(
            subject,
            id=clean(subject.id)[:MAX_ID],
            title=self._short(subject.title) or "",
            labels=clean(subject.labels),
            props=clean(subject.props),
        )

    def _is_clean(self, subject: Subject) -> bool:
        """Whether a single search finds nothing, mostly: one for each of its texts takes fifty times as long."""
        tables = (subject.labels, subject.props)
        texts = [subject.id, subject.title, *(text for table in tables for item in table.items() for text in item)]
        if any(len(text) == MAX_TEXT for text in texts):  # may have been clipped within one
            return False
        together = _APART.join(texts)
        return self._redactor.text(together) == together

    def record_so_far(self, duration_ms: int, *, held: Held, used: Used | None = None) -> CallRecord:
        """What is known of a call that comes to no report."""
        return CallRecord(**self._so_far(duration_ms, held, used))

    def _so_far(self, duration_ms: int, held: Held, used: Used | None) -> dict[str, Any]:
        # What was not cleaned when the call ended was not confirmed to the plugin, or is older than a secret that it
        # was not told: it is dropped, for here nobody waits for a search.
        evidence = {
            name: EvidenceData(name=name, media_type=piece.media_type, data=bytes(piece.data), check=piece.check)
            for name, piece in self._evidence.items()
            if name != self._unfinished and piece.marks == self._redactor.marks
        }
        return {
            "provenance": tuple(self._provenance.values()),
            "evidence": evidence,
            "started_at": self.started_at,
            "duration_ms": duration_ms,
            "held": held,
            "used": used,
        }

    def _wrong(self, what: str) -> ReplyError:
        return ReplyError(self._redactor.text(what))

    def _require_evidence(self, result: CheckResult) -> None:
        for item in result.evidence:
            piece = self._evidence.get(item.name)
            if piece is None or piece.media_type != item.media_type or item.name == self._unfinished:
                raise self._wrong(
                    f"result of {result.check_id!r} names evidence {item.name!r} ({item.media_type}), "
                    f"which was not handed over in this call: use what host.evidence returned"
                )

    def _take(self, chunk: Evidence) -> Refused | Taken:
        if not chunk.name.isprintable():
            raise ViolationError(f"sent evidence with the name {chunk.name!r}")
        if self._redactor.text(chunk.name + "\n" + chunk.media_type) != chunk.name + "\n" + chunk.media_type:
            return _refused(chunk, "evidence may not be named by a secret")
        if self._unfinished not in (None, chunk.name):
            raise ViolationError(f"sent evidence {chunk.name!r} before the end of {self._unfinished!r}")
        if self._unfinished is None:
            if chunk.name in self._evidence:
                return _refused(chunk, f"evidence {chunk.name!r} was handed over before in this call")
            if len(self._evidence) >= MAX_EVIDENCE_NAMES:
                return _refused(chunk, f"this call has handed over its {MAX_EVIDENCE_NAMES} pieces of evidence")
            self._evidence[chunk.name] = _Piece(media_type=chunk.media_type, check=chunk.check)
        if self._evidence_bytes + len(chunk.data) > MAX_EVIDENCE_BYTES:
            self._evidence_bytes -= len(self._evidence.pop(chunk.name).data)
            self._unfinished = None
            return _refused(
                chunk, f"evidence of one call may have {MAX_EVIDENCE_BYTES} bytes; {chunk.name!r} is beyond"
            )
        self._evidence[chunk.name].data += chunk.data
        self._evidence_bytes += len(chunk.data)
        self._unfinished = chunk.name if chunk.more else None
        return Taken(call=chunk.call, id=chunk.id)


def _cleaned(data: bytes | bytearray, redactor: Redactor, abandoned: Event) -> bytes:
    return redactor.data(bytes(data), abandoned)


def _not_reported(check: str) -> CheckResult:
    return CheckResult(check_id=check, outcome=Outcome.ERROR, reason=NOT_REPORTED)


def _refused(request: Request, message: str) -> Refused:
    return Refused(call=request.call, id=request.id, kind="failed", errno=None, message=message)

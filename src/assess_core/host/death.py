"""Why a worker ended: as the fault that its caller is told, and as what is remembered of it, with what to do."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from assess_core.call_record import CallRecord
from assess_core.errors import FaultKind, PluginFault
from assess_core.host.limits import Excess, Finding, Halted
from assess_core.host.standing import Ended
from assess_core.host.text import clean_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Who ended the worker: itself when `kind` is None, else we, for the reason that `message` gives.

    Attributes:
        cut_off: bytes of a message of which no more came.
    """

    kind: FaultKind | None
    message: str = ""
    cut_off: int = 0


GONE = Cause(kind=None)
STOPPED = Cause(kind=FaultKind.STOPPED, message="the runtime stopped it while it was being called")


STOPPED_ITSELF = Cause(kind=FaultKind.SIGNALLED, message="it had stopped itself (SIGSTOP) and was killed")
"""Or somebody else stopped it, which cannot be told apart."""


def violation(what: str) -> Cause:
    """The worker did what docs/wire.md forbids."""
    return Cause(kind=FaultKind.PROTOCOL, message=f"it broke the protocol and was killed: it {clean_line(what)}")


def overrun(timeout_s: float) -> Cause:
    """The worker's call, or its start, took too long."""
    return Cause(kind=FaultKind.TIMEOUT, message=f"it took longer than {timeout_s:g} s and was killed")


def overstayed(stop_timeout_s: float) -> Cause:
    """The worker was asked to go, and did not."""
    message = f"it had not ended {stop_timeout_s:g} s after it was asked to, and was killed"
    return Cause(kind=FaultKind.TIMEOUT, message=message)


def unheld(reason: str) -> Cause:
    """The worker is not isolated, and must be."""
    return Cause(kind=FaultKind.START, message=f"it cannot be isolated: {clean_line(reason)}")


def beyond(finding: Finding, whose: str) -> Cause:
    """The worker uses more than its manifest says, stands still, or nobody can see what it uses."""
    if isinstance(finding, Halted):
        return STOPPED_ITSELF
    if isinstance(finding, Excess):
        return Cause(kind=FaultKind.LIMIT, message=f"{finding.words(whose)}: it was killed")
    return Cause(
        kind=FaultKind.START,
        message=f"it was killed since nobody may see what it uses: {clean_line(str(finding))}. A runtime that is root "
        "needs CAP_SYS_PTRACE to watch workers, which have user ids of their own",
    )


def unloadable(reason: str, where: str = "") -> Cause:
    """The worker has an entry point that cannot be served; `where` is the limit that keeps it from it, if one does."""
    words = f"{clean_line(reason)}; {where}" if where else clean_line(reason)
    return Cause(kind=FaultKind.START, message=f"it cannot be loaded: {words}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Death:
    """A worker has ended.

    Attributes:
        cause: what came first.
        exit_code: negative for a signal, None when it could not be had.
        by_itself: it had exited before we signalled it.
        log_tail: last lines of its output.
    """

    cause: Cause
    exit_code: int | None
    by_itself: bool
    log_tail: str

    def fault(self, *, plugin: str, phase: str, record: CallRecord | None) -> PluginFault:
        """What happened to a call, or a start, that was open then; `record` is what is known of the call."""
        kind, message = self._classify(phase)
        return PluginFault(
            message,
            plugin=plugin,
            phase=phase,
            kind=kind,
            log_tail=self.log_tail,
            hint=hint_of(kind, phase),
            record=record,
        )

    def ended(self, *, phase: str, at: datetime) -> Ended | None:
        """What is remembered of it; nothing when it was simply stopped, or went when it was asked to."""
        kind, message = self._classify(phase)
        left = phase == "shutdown" and self.cause.kind is None and self.by_itself and self.exit_code == 0
        if left or self.cause.kind in (FaultKind.STOPPED, FaultKind.REVOKED):
            return None
        return Ended(
            at=at,
            kind=kind,
            phase=phase,
            message=message,
            hint=hint_of(kind, phase),
            log_tail=self.log_tail,
            by_itself=self.by_itself,
        )

    def _classify(self, phase: str) -> tuple[FaultKind, str]:
        kind, message = self._what_happened()
        return (FaultKind.START if phase in ("start", "load") else kind), message

    def _what_happened(self) -> tuple[FaultKind, str]:
        if self.cause.kind is not None:
            return self.cause.kind, self.cause.message
        cut_off = self.cause.cut_off
        if not self.by_itself:
            if cut_off:
                cause = violation(f"closed the pipe after {cut_off} bytes of a message")
                return FaultKind.PROTOCOL, cause.message
            return FaultKind.PROTOCOL, "its process closed the pipe, lived on, and was killed"
        where = f" in the middle of a message, of which {cut_off} bytes had come" if cut_off else ""
        if self.exit_code is not None and self.exit_code < 0:
            number = -self.exit_code
            kind = FaultKind.LIMIT if number in _OF_LIMITS else FaultKind.SIGNALLED
            return kind, f"its process was killed by {_signal_name(number)}{where}{_OF_SIGNALS.get(number, '')}"
        code = "by itself" if self.exit_code is None else f"with code {self.exit_code}"
        return FaultKind.EXITED, f"its process exited {code}{where}"


_LOG = "its last lines of output say more"

_HINTS: Mapping[FaultKind, str] = {
    FaultKind.EXITED: f"a plugin must not end its process: {_LOG}; tell its author",
    FaultKind.SIGNALLED: "a crash in native code, somebody who killed or stopped it, or a machine out of memory: "
    "`dmesg` and its last lines of output say which",
    FaultKind.PROTOCOL: f"something in it writes to the pipe, or breaks docs/wire.md: {_LOG}; tell its author",
    FaultKind.LIMIT: "give it less to do in one call, or ask its author for a larger limit in its manifest",
    FaultKind.TIMEOUT: "raise the assessment's timeout_s if it is only slow; else tell its author where it hangs",
    FaultKind.START: f"{_LOG}; `assess plugins verify` says whether it was changed, `assess doctor` whether this "
    "machine can run it",
}

_HINTS_OF_SHUTDOWN = "no call failed by it: its assess_shutdown hook, or an exit handler of it, is its author's to mend"
_HINTS_OF_LOAD = (
    f"it fails when its modules are imported: {_LOG}; see whether all that it needs is installed and "
    "granted, or roll back to the version before"
)


def hint_of(kind: FaultKind, phase: str) -> str:
    """What to do about such an end, in one sentence; docs/wire.md has the same table."""
    if phase == "shutdown":
        return _HINTS_OF_SHUTDOWN
    if phase == "load":
        return _HINTS_OF_LOAD
    return _HINTS.get(kind, "")


_OF_LIMITS = (signal.SIGXFSZ, signal.SIGXCPU)

_OF_SIGNALS: Mapping[int, str] = {
    signal.SIGXFSZ: ": a file grew beyond limits.scratch_mib in its assess-plugin.toml",
    signal.SIGXCPU: ": it used the processor time that whoever started the runtime allows a process (ulimit -t)",
    signal.SIGKILL: " from outside: was the machine, or its control group, out of memory?",
}
"""What a signal means that the worker did not get from us."""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no name of their own
        return f"signal {number}"

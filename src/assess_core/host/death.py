"""Why a worker ended, as the fault that its caller is told."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass

from assess_core.errors import FaultKind, PluginFault
from assess_core.host.limits import Excess, Finding
from assess_core.host.text import clean_line
from assess_core.record import CallRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Who ended the worker: itself when `kind` is None, else we, for the reason that `message` gives."""

    kind: FaultKind | None
    message: str = ""


GONE = Cause(kind=None)
STOPPED = Cause(kind=FaultKind.STOPPED, message="the runtime stopped it while it was being called")


def violation(what: str) -> Cause:
    """The worker did what docs/wire.md forbids."""
    return Cause(kind=FaultKind.PROTOCOL, message=f"it broke the protocol and was killed: it {clean_line(what)}")


def overrun(timeout_s: float) -> Cause:
    """The worker's call, or its start, took too long."""
    return Cause(kind=FaultKind.TIMEOUT, message=f"it took longer than {timeout_s:g} s and was killed")


def unheld(reason: str) -> Cause:
    """The worker is not isolated, and must be."""
    return Cause(kind=FaultKind.START, message=f"it cannot be isolated: {clean_line(reason)}")


def beyond(finding: Finding, whose: str) -> Cause:
    """The worker uses more than its manifest says, or nobody can see what it uses."""
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
        kind, message = self._classify()
        if phase in ("start", "load"):
            kind = FaultKind.START
        return PluginFault(message, plugin=plugin, phase=phase, kind=kind, log_tail=self.log_tail, record=record)

    def _classify(self) -> tuple[FaultKind, str]:
        if self.cause.kind is not None:
            return self.cause.kind, self.cause.message
        if not self.by_itself:
            return FaultKind.PROTOCOL, "its process closed the pipe, lived on, and was killed"
        if self.exit_code is not None and self.exit_code < 0:
            number = -self.exit_code
            kind = FaultKind.LIMIT if number in _OF_LIMITS else FaultKind.SIGNALLED
            return kind, f"its process was killed by {_signal_name(number)}{_OF_SIGNALS.get(number, '')}"
        return FaultKind.EXITED, f"its process exited with code {self.exit_code}"


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

"""What can go wrong while assessing, split by what the reader should do about it.

Trust, transport and configuration errors of a registry come through `assess_registry.client` unchanged; here stand
those of the runtime itself. Anything else that escapes is a bug of ours and stays loud.
"""

import errno
from enum import StrEnum

from assess_core.call_record import CallRecord
from assess_registry.client import indented


class AssessError(Exception):
    """Root of every error this package raises on purpose."""


class ConfigError(AssessError):
    """A configuration file, flag or variable is wrong and has to be edited.

    Attributes:
        problems: every problem found, each naming its file and key path.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(indented(problem) for problem in problems))
        self.problems = problems


class StoreError(AssessError):
    """The state directory cannot be used: no room, no right, a newer layout. The message says which and what to do."""


class CutShortError(AssessError):
    """An assessment was ended before it was over, since the runtime was stopped; nothing of it was recorded."""


class NoRoomError(StoreError):
    """There is no room on the disk, or it failed; nothing was written, and it may be tried again."""


EXIT_DAMAGED = 6
"""Of its own, so that a service manager does not start again what ends again: `RestartPreventExitStatus=`."""


class JournalDamagedError(StoreError):
    """Pages of the journal are not what was written there; nothing more should be written to it, however often."""


def disk_error(message: str, error: Exception) -> StoreError:
    """What to raise with this message when a file could not be written: of a full disk, that it may be tried again."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO)
    return NoRoomError(message) if full else StoreError(message)


class FaultKind(StrEnum):
    """How a plugin failed a call."""

    RAISED = "raised"
    TIMEOUT = "timeout"
    EXITED = "exited"
    SIGNALLED = "signalled"
    PROTOCOL = "protocol"
    START = "start"
    REPLY = "reply"
    LIMIT = "limit"
    STOPPED = "stopped"
    QUARANTINED = "quarantined"
    REVOKED = "revoked"


class PluginFault(AssessError):
    """A plugin, not the runtime, failed.

    Attributes:
        message: what happened, without whose it is.
        plugin: entry point name, or the distribution while it is being started.
        phase: `start`, `load`, `evaluate` or `execute`.
        kind: how it failed; `TIMEOUT` alone becomes the outcome `timeout`, all others become `error`.
        log_tail: the last lines the process wrote to its standard output and error, cleaned for a terminal.
        hint: what to do about it, a sentence, where that is known.
        record: what the call had done until then, nothing in a start; None when there was not even a process.
    """

    def __init__(
        self,
        message: str,
        *,
        plugin: str,
        phase: str,
        kind: FaultKind,
        log_tail: str = "",
        hint: str = "",
        record: CallRecord | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.plugin = plugin
        self.phase = phase
        self.kind = kind
        self.log_tail = log_tail
        self.hint = hint
        self.record = record

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} failed in {self.phase} ({self.kind.value}): {super().__str__()}"

"""What every host of this kit has in common: the manifest is enforced, and each use is written down.

`uses` holds what was asked and permitted, with the check it was done for; `unused_permissions()` then names what a
manifest asks for and the plugin never needs - a reviewer will ask why it is there.
"""

import errno
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

from assess_plugin.api import require_host_call
from assess_plugin.asking import (
    clip,
    require_argv,
    require_check,
    require_evidence,
    require_level,
    require_path,
    require_peer,
    require_progress,
    require_secret_name,
    require_timeout,
)
from assess_plugin.models import (
    Attribution,
    CommandResult,
    Denied,
    Evidence,
    FileStatus,
    HostError,
    LogLevel,
)
from assess_plugin.permissions import (
    Permissions,
    Table,
    is_normal_path,
    leads_astray,
    not_normal,
    not_permitted,
    peer_of,
)
from assess_plugin.testing.manifest import PluginManifest
from assess_plugin.testing.tree import os_error
from assess_plugin.wire import MAX_EVIDENCE_BYTES, MAX_EVIDENCE_NAMES, MAX_REQUESTS

UseKind = Literal["run", "open", "stat", "connect", "secret"]
_Socket, _resolve = socket.socket, socket.getaddrinfo
"""As they are, whatever `assess_plugin.shim` puts in their place."""

_Asked = str | tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """One thing a plugin asked of its host.

    Attributes:
        what: the argv; or the path, `host:port` or name as the only element.
        permitted_by: the manifest's entry that allows it: a pattern, or anything else as the only element.
        check: the check it was done for, if any.
    """

    kind: UseKind
    what: tuple[str, ...]
    permitted_by: tuple[str, ...]
    check: str | None


class RecordingHost:
    """A `Host` that enforces and records, and leaves the doing to a subclass."""

    def __init__(self, manifest: PluginManifest) -> None:
        self.manifest = manifest
        self.uses: list[Use] = []
        self.logged: list[tuple[LogLevel, str]] = []
        self.progressed: list[tuple[int, int, str]] = []
        self.taken: dict[str, tuple[str, bytes]] = {}
        """Evidence by name: media type and data."""
        self.attributed_to: str | None = None
        """The check that uses are recorded for at this moment."""
        self._asked: frozenset[str] | None = None
        self._requests = 0

    def begin_call(self, checks: Collection[str]) -> None:
        """A call of these checks begins: its evidence and its budget are its own; `uses` goes on."""
        self._asked = frozenset(checks)
        self._requests = 0
        self.taken = {}
        self.attributed_to = None

    @property
    def permissions(self) -> Permissions:
        """What the plugin's manifest permits."""
        return self.manifest.permissions

    def run(self, argv: Sequence[str], *, timeout_s: float = 30.0) -> CommandResult:
        """Run a permitted command; see `assess_plugin.Host`."""
        argv, timeout_s = require_argv(argv), require_timeout(timeout_s)
        self._permit("run", argv, self.permissions.command_for(argv), "commands")
        return self._run(argv, timeout_s)

    def open(self, path: str) -> BinaryIO:
        """Open a permitted file; see `assess_plugin.Host`."""
        path = _normal(require_path(path))
        self._permit("open", path, self.permissions.read_for(path), "read")
        return self._open(path)

    def stat(self, path: str) -> FileStatus:
        """Status of a permitted path; see `assess_plugin.Host`."""
        path = _normal(require_path(path))
        self._permit("stat", path, self.permissions.stat_for(path), "stat")
        return self._stat(path)

    def connect(self, host: str, port: int, *, timeout_s: float = 30.0) -> Any:
        """A socket connected to a permitted peer; see `assess_plugin.Host`."""
        require_host_call("connect", self.manifest.api)
        host, port = require_peer(host, port)
        timeout_s = require_timeout(timeout_s)
        self._permit("connect", peer_of(host, port), self.permissions.network_for(host, port), "network")
        return self._connect(host, port, timeout_s)

    def secret(self, name: str) -> str:
        """A permitted secret; see `assess_plugin.Host`."""
        require_host_call("secret", self.manifest.api)
        name = require_secret_name(name)
        self._permit("secret", name, name if name in self.permissions.secrets else None, "secrets")
        return self._secret(name)

    def log(self, message: str, level: LogLevel = "info") -> None:
        """Keep the line in `logged`."""
        require_level(level)
        self.logged.append((level, clip(message)))

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Keep the report in `progressed`."""
        require_progress(done, total)
        self.progressed.append((done, total, clip(note)))

    def evidence(self, name: str, data: bytes, media_type: str = "text/plain") -> Evidence:
        """Keep the evidence in `taken`.

        Raises:
            HostError: evidence with this name was taken before in this call, or the call's limits are reached.
        """
        view = require_evidence(name, data, media_type)
        self._count()
        if name in self.taken:
            raise HostError(f"evidence {name!r} was handed over before in this call")
        if len(self.taken) >= MAX_EVIDENCE_NAMES:
            raise HostError(f"this call has handed over its {MAX_EVIDENCE_NAMES} pieces of evidence")
        if sum(len(taken) for _, taken in self.taken.values()) + len(view) > MAX_EVIDENCE_BYTES:
            raise HostError(f"evidence of one call may have {MAX_EVIDENCE_BYTES} bytes; {name!r} is beyond")
        self.taken[name] = (media_type, bytes(view))
        return Evidence(name=name, media_type=media_type)

    def attribute(self, check_id: str) -> Attribution:
        """Uses inside this context are recorded for that check: one of those asked for, else any of the manifest."""
        known = (check for checks in self.manifest.checks.values() for check in checks)
        require_check(check_id, frozenset(known) if self._asked is None else self._asked)
        return _Attributed(self, check_id)

    def uses_of(self, check_id: str) -> tuple[Use, ...]:
        """What was asked for the sake of one check."""
        return tuple(use for use in self.uses if use.check == check_id)

    def unused_permissions(self) -> tuple[str, ...]:
        """Entries of the manifest that nothing asked of this host needed, as `table: entry`."""
        used = {(use.kind, use.permitted_by) for use in self.uses}
        looked = {entry for kind, entry in used if kind in ("open", "stat")}
        opened = {entry for kind, entry in used if kind == "open"}
        return (
            *(f"read: {path}" for path in self.permissions.read if (path,) not in opened),
            *(f"stat: {path}" for path in self.permissions.stat if (path,) not in looked),
            *(f"commands: {list(argv)}" for argv in self.permissions.commands if ("run", argv) not in used),
            *(f"network: {peer}" for peer in self.permissions.network if ("connect", (peer,)) not in used),
            *(f"secrets: {name}" for name in self.permissions.secrets if ("secret", (name,)) not in used),
        )

    def permit_target(self, kind: Literal["open", "stat"], path: str, target: str) -> None:
        """Refuse a path that leads out of what is permitted: links count by where they lead, as in the runtime.

        Raises:
            Denied: the target is not permitted itself.
        """
        permits = self.permissions.read_for if kind == "open" else self.permissions.stat_for
        if permits(target) is None:
            raise Denied(leads_astray(path, target, "read" if kind == "open" else "stat"))

    def _permit(
        self, kind: UseKind, asked: str | tuple[str, ...], entry: str | tuple[str, ...] | None, table: Table
    ) -> None:
        self._count()
        if entry is None:
            raise Denied(not_permitted(asked, table))
        use = Use(kind=kind, what=_words(asked), permitted_by=_words(entry), check=self.attributed_to)
        self.uses.append(use)

    def _count(self) -> None:
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            raise HostError(f"this call has made its {MAX_REQUESTS} requests")

    def _run(self, argv: tuple[str, ...], timeout_s: float) -> CommandResult:
        raise NotImplementedError

    def _open(self, path: str) -> BinaryIO:
        raise NotImplementedError

    def _stat(self, path: str) -> FileStatus:
        raise NotImplementedError

    def _connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        raise NotImplementedError

    def _secret(self, name: str) -> str:
        raise NotImplementedError


class _Attributed:
    def __init__(self, host: RecordingHost, check_id: str) -> None:
        self._host, self._check_id, self._before = host, check_id, host.attributed_to

    def __enter__(self) -> Self:
        self._host.attributed_to = self._check_id
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._host.attributed_to = self._before


def connected(place: tuple[str, int], timeout_s: float) -> socket.socket:
    """A connection to that place, in blocking mode as the runtime hands it over."""
    failed: OSError | None = None
    for family, kind, protocol, _, address in _resolve(*place, type=socket.SOCK_STREAM):
        made = _Socket(family, kind, protocol)
        made.settimeout(timeout_s)
        try:
            made.connect(address)
        except OSError as error:
            made.close()
            failed = error
        else:
            made.settimeout(None)
            return made
    raise failed or os_error(errno.EHOSTUNREACH, place[0])


def _words(asked: _Asked) -> tuple[str, ...]:
    return (asked,) if isinstance(asked, str) else asked


def _normal(path: str) -> str:
    if not is_normal_path(path):
        raise HostError(not_normal(path))
    return path

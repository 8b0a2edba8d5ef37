"""The plugin's `host`: each use is a message to the runtime and, for most, its answer.

One call, one `RemoteHost`. Requests go one at a time, also when the plugin has threads; after the call every use fails.
"""

import io
import time
from _thread import _local, allocate_lock
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Any, BinaryIO

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
from assess_plugin.models import API_VERSION, CommandResult, Denied, Evidence, FileStatus, HostError, LogLevel
from assess_plugin.wire import EVIDENCE_CHUNK, MAX_NOTICE_BYTES, MAX_NOTICES, Channel, Message, WireError, encode

_LAST_WORDS = "this call has logged too much: its further log lines and progress are dropped"

PROGRESS_EVERY_S = 0.02
"""Progress that comes faster waits for the next message of any kind: it is for people."""


class RemoteHost:
    """`assess_plugin.models.Host`, over the pipe."""

    def __init__(self, channel: Channel, call: int, checks: Sequence[str], api: str = API_VERSION) -> None:
        self._channel = channel
        self._call = call
        self._api = api
        self._checks = frozenset(checks)
        self._lock = allocate_lock()
        self._here = _local()
        self._open = True
        self._requests = 0
        self._notices = 0
        self._notice_bytes = 0
        self._deferred: Message | None = None
        self._progress_at = -PROGRESS_EVERY_S

    def run(self, argv: Sequence[str], *, timeout_s: float = 30.0) -> CommandResult:
        """See `Host.run`."""
        request = {"type": "run", "argv": require_argv(argv), "timeout_s": require_timeout(timeout_s)}
        with self._lock:
            answer = self._ask("ran", request)
            stdout = a2b_base64(answer["stdout"])
            if answer["spilled"] is not None:
                with open(self._channel.descriptor(), "rb") as spilled:  # noqa: PTH123  a descriptor, not a path
                    stdout = spilled.read(answer["spilled"])
        return CommandResult(
            argv=tuple(argv),
            exit_code=answer["exit_code"],
            stdout=stdout,
            stderr=a2b_base64(answer["stderr"]),
            truncated=answer["truncated"],
        )

    def open(self, path: str) -> BinaryIO:
        """See `Host.open`."""
        path = require_path(path)
        with self._lock:
            self._ask("opened", {"type": "open", "path": path})
            descriptor = self._channel.descriptor()
        return io.open(path, "rb", opener=lambda *_: descriptor)  # noqa: UP020  the caller's to close

    def stat(self, path: str) -> FileStatus:
        """See `Host.stat`."""
        request = {"type": "stat", "path": require_path(path)}
        with self._lock:
            answer = self._ask("status", request)
        return FileStatus(mode=answer["mode"], uid=answer["uid"], gid=answer["gid"], size=answer["size"])

    def connect(self, host: str, port: int, *, timeout_s: float = 30.0) -> Any:
        """See `Host.connect`."""
        require_host_call("connect", self._api)
        host, port = require_peer(host, port)
        request = {"type": "connect", "host": host, "port": port, "timeout_s": require_timeout(timeout_s)}
        socket = __import__("socket")  # a tenth of a worker's start, which most plugins have no use for

        with self._lock:
            family = socket.AF_INET6 if self._ask("connected", request)["family"] == "inet6" else socket.AF_INET
            descriptor = self._channel.descriptor()
        return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=descriptor)

    def secret(self, name: str) -> str:
        """See `Host.secret`."""
        require_host_call("secret", self._api)
        with self._lock:
            value: str = self._ask("revealed", {"type": "secret", "name": require_secret_name(name)})["value"]
        return value

    def log(self, message: str, level: LogLevel = "info") -> None:
        """See `Host.log`."""
        require_level(level)
        with self._lock:
            self._require_open()
            self._send(self._notice({"type": "log", "call": self._call, "level": level, "message": clip(message)}))

    def progress(self, done: int, total: int, note: str = "") -> None:
        """See `Host.progress`."""
        require_progress(done, total)
        message = {"type": "progress", "call": self._call, "done": int(done), "total": int(total), "note": clip(note)}
        with self._lock:
            self._require_open()
            now = time.monotonic()
            if now - self._progress_at < PROGRESS_EVERY_S:
                self._deferred = message  # the next one replaces it, or any other message takes it along
                return
            self._deferred, self._progress_at = None, now
            self._send(self._notice(message))

    def evidence(self, name: str, data: bytes, media_type: str = "text/plain") -> Evidence:
        """See `Host.evidence`."""
        view = require_evidence(name, data, media_type)
        with self._lock:
            for start in range(0, len(view) or 1, EVIDENCE_CHUNK):
                chunk = b2a_base64(view[start : start + EVIDENCE_CHUNK], newline=False).decode("ascii")
                more = start + EVIDENCE_CHUNK < len(view)
                record = {"type": "evidence", "name": name, "media_type": media_type, "data": chunk, "more": more}
                self._ask("taken", record)
        return Evidence(name=name, media_type=media_type)

    def attribute(self, check_id: str) -> "Attributed":
        """See `Host.attribute`."""
        require_check(check_id, self._checks)
        return Attributed(self._here, check_id)

    def close(self) -> bytes:
        """End of the call: waits for a thread's request that is on its way; every later use fails.

        Returns the last progress when it still waits for company, to be sent with the reply.
        """
        with self._lock:
            self._open = False
            return b"" if self._deferred is None else self._notice(self._deferred)

    def _ask(self, expected: str, request: Message) -> Message:
        self._require_open()
        self._requests += 1
        request |= {"call": self._call, "id": self._requests, "check": getattr(self._here, "check", None)}
        self._send(encode(request))
        answer = self._channel.receive()
        if answer is None or answer.get("call") != self._call or answer.get("id") != self._requests:
            raise HostError("the runtime is gone")
        if answer["type"] == "refused":
            raise _refusal(answer, request.get("path") or request.get("host"))
        if answer["type"] != expected:
            raise WireError(f"asked for {expected}, got {answer['type']}")
        return answer

    def _send(self, frame: bytes) -> None:
        if self._deferred is not None:
            frame, self._deferred = self._notice(self._deferred) + frame, None
        if frame:
            self._channel.send(frame)

    def _notice(self, message: Message) -> bytes:
        """The message as a frame, or nothing once the call's budget is spent: beyond it the runtime would kill us."""
        frame = encode(message)
        room = MAX_NOTICE_BYTES - self._notice_bytes - len(frame)
        if self._notices > MAX_NOTICES - 2 or room < len(_LAST_WORDS) + 200:
            if self._notices >= MAX_NOTICES:
                return b""
            self._notices = MAX_NOTICES
            return encode({"type": "log", "call": self._call, "level": "warning", "message": _LAST_WORDS})
        self._notices += 1
        self._notice_bytes += len(frame)
        return frame

    def _require_open(self) -> None:
        if not self._open:
            raise HostError("the call that this host belonged to is over")


class Attributed:
    """While it is entered, this thread's requests are recorded for one check."""

    def __init__(self, here: Any, check_id: str) -> None:
        self._here = here
        self._check_id = check_id
        self._before: str | None = None

    def __enter__(self) -> "Attributed":
        self._before = getattr(self._here, "check", None)
        self._here.check = self._check_id
        return self

    def __exit__(self, *_: object) -> None:
        self._here.check = self._before


def _refusal(answer: Message, path: str | None) -> Exception:
    if answer["kind"] == "denied":
        return Denied(answer["message"])
    if answer["kind"] == "os" and answer["errno"] is not None:
        return OSError(answer["errno"], answer["message"], path)  # becomes FileNotFoundError and the like by its number
    return HostError(answer["message"])

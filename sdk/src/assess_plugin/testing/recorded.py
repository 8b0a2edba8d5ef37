"""What a plugin asked and was told, on a machine that has it, kept in a file, and told again where nothing of it is.

    with Recorder(LocalHost(manifest), Path("tests/recordings/debian-12.json")) as host:    # once, by hand
        plugin.execute(host)

    plugin.execute(Replay(manifest, Path("tests/recordings/debian-12.json")))               # in every test, anywhere

Secrets are not in the file: in their place stands `secret NAME`, also in what was sent and received. Read a recording
before it is committed, all the same: it holds what the machine said.
"""

import errno
import io
import json
import os
import socket
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

from assess_plugin.models import CommandResult, FileStatus, HostError
from assess_plugin.permissions import peer_of
from assess_plugin.testing.manifest import PluginManifest
from assess_plugin.testing.recording import RecordingHost
from assess_plugin.testing.streams import Event, Stream, play, relay

SCHEMA = 1
MAX_FILE_BYTES = 16 << 20
"""Of one recorded file; a longer one is refused, not cut."""

_Asked = str | list[str]
_Got = TypeVar("_Got")


class Recorder(RecordingHost):
    """A host that asks another, and keeps what that says. A context: at its end the file is written."""

    def __init__(self, inner: RecordingHost, path: Path) -> None:
        super().__init__(inner.manifest)
        self._inner = inner
        self._path = path
        self._kept: list[dict[str, Any]] = []
        self._streams: list[Stream] = []
        self._secrets: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        for stream in self._streams:
            stream.end()
        if error is None:
            document = {"schema": SCHEMA, "uses": self._kept}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(document, indent=1, ensure_ascii=True) + "\n", encoding="ascii")

    def _run(self, argv: tuple[str, ...], timeout_s: float) -> CommandResult:
        def run() -> CommandResult:
            return self._inner._run(argv, timeout_s)  # noqa: SLF001  a host of the same family

        return self._keep("run", list(argv), run, self._command)

    def _open(self, path: str) -> BinaryIO:
        data = self._keep("open", path, lambda: self._content(path), self._data)
        return io.BytesIO(data)

    def _stat(self, path: str) -> FileStatus:
        def words(found: FileStatus) -> dict[str, Any]:
            return {"mode": found.mode, "uid": found.uid, "gid": found.gid, "size": found.size}

        return self._keep("stat", path, lambda: self._inner._stat(path), words)  # noqa: SLF001

    def _connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        events: list[Event] = []

        def connect() -> socket.socket:
            made, stream = relay(self._inner._connect(host, port, timeout_s), events, self._hide)  # noqa: SLF001
            self._streams.append(stream)
            return made

        return self._keep("connect", peer_of(host, port), connect, lambda _: {"events": events})

    def _secret(self, name: str) -> str:
        def tell() -> str:
            value = self._secrets[name] = self._inner._secret(name)  # noqa: SLF001
            return value

        return self._keep("secret", name, tell, lambda _: {})

    def _keep(self, kind: str, asked: _Asked, ask: Callable[[], _Got], words: Callable[[_Got], dict[str, Any]]) -> _Got:
        use: dict[str, Any] = {"kind": kind, "asked": asked}
        self._kept.append(use)
        try:
            got = ask()
        except OSError as error:
            use["error"] = errno.errorcode.get(error.errno or 0, "EIO")
            raise
        except HostError as error:
            use["refused"] = str(error)
            raise
        use.update(words(got))
        return got

    def _content(self, path: str) -> bytes:
        with self._inner._open(path) as file:  # noqa: SLF001
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise HostError(f"{path} has more than {MAX_FILE_BYTES} bytes, which is too much for a recording")
        return data

    def _command(self, result: CommandResult) -> dict[str, Any]:
        outputs = {"stdout": self._text(result.stdout), "stderr": self._text(result.stderr)}
        return {"exit_code": result.exit_code, **outputs, "truncated": result.truncated}

    def _data(self, data: bytes) -> dict[str, Any]:
        return {"data": self._text(data)}

    def _text(self, data: bytes) -> str:
        return b2a_base64(self._hide(data), newline=False).decode("ascii")

    def _hide(self, data: bytes) -> bytes:
        for name, value in self._secrets.items():
            data = data.replace(value.encode(), _stands_for(name).encode())
        return data


class Replay(RecordingHost):
    """A host that says what a recorded one said, each time the same, in the same order.

    Attributes:
        differences: what the plugin sent over a connection that it had not sent when it was recorded.
    """

    def __init__(self, manifest: PluginManifest, path: Path) -> None:
        super().__init__(manifest)
        document = json.loads(path.read_text(encoding="ascii"))
        if document.get("schema") != SCHEMA:
            raise ValueError(f"{path}: expected a recording of schema {SCHEMA}, got {document.get('schema')!r}")
        self.differences: list[str] = []
        self._path = path
        self._uses: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for use in document["uses"]:
            self._uses.setdefault((use["kind"], json.dumps(use["asked"])), []).append(use)

    def _run(self, argv: tuple[str, ...], timeout_s: float) -> CommandResult:  # noqa: ARG002  it takes no time
        use = self._recorded("run", list(argv))
        return CommandResult(
            argv=argv,
            exit_code=use["exit_code"],
            stdout=a2b_base64(use["stdout"]),
            stderr=a2b_base64(use["stderr"]),
            truncated=use["truncated"],
        )

    def _open(self, path: str) -> BinaryIO:
        return io.BytesIO(a2b_base64(self._recorded("open", path)["data"]))

    def _stat(self, path: str) -> FileStatus:
        use = self._recorded("stat", path)
        return FileStatus(mode=use["mode"], uid=use["uid"], gid=use["gid"], size=use["size"])

    def _connect(self, host: str, port: int, timeout_s: float) -> socket.socket:  # noqa: ARG002
        peer = peer_of(host, port)
        return play(self._recorded("connect", peer)["events"], peer, self.differences)

    def _secret(self, name: str) -> str:
        self._recorded("secret", name)
        return _stands_for(name)

    def _recorded(self, kind: str, asked: _Asked) -> Mapping[str, Any]:
        """The next recorded answer; the last one again, when it is asked more often than it was."""
        uses = self._uses.get((kind, json.dumps(asked)))
        if not uses:
            raise HostError(f"{kind} {json.dumps(asked)[:200]} is not in the recording {self._path}: record it anew")
        use = uses.pop(0) if len(uses) > 1 else uses[0]
        if "error" in use:
            number = getattr(errno, use["error"])
            raise OSError(number, os.strerror(number), asked if isinstance(asked, str) else None)
        if "refused" in use:
            raise HostError(use["refused"])
        return use


def _stands_for(name: str) -> str:
    return f"secret {name}"

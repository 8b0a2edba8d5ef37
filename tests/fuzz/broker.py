"""The broker, fuzzed: whatever is asked of it, nothing is opened, looked at or told that is not granted.

A tree is planted with what is granted, what is not, and links from the one to the other. Commands are refused, and none
is granted: what they would do is tested elsewhere.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assess_core.host import messages as wire
from assess_core.host.broker import Broker
from assess_core.host.rights import Rights
from assess_core.secrets import SecretSource
from assess_plugin.permissions import Permissions
from tests.fuzz.talk import Source

DEADLINE_S = 10.0
_PARTS = (
    "in",
    "file",
    "out",
    "secret",
    "good",
    "bad",
    "folder",
    "loop",
    "gone",
    ".",
    "..",
    "",
    "*",
    "\u200b",
    "proc",
    "self",
)
_HOSTS = ("127.0.0.1", "localhost", "::1", "169.254.169.254", "0.0.0.0", "2130706433", "127.1", "::ffff:127.0.0.1", "")


class BrokerTarget:
    """A target, as `parent.Parent` is one."""

    def __init__(self) -> None:
        self._root = root = Path(os.path.realpath(tempfile.mkdtemp(prefix="assess-fuzz-")))
        self._loop = asyncio.new_event_loop()
        for name in ("in", "out", "looked"):
            (root / name).mkdir()
            (root / name / "file").write_text(name)
        (root / "key").write_text("secret-value")
        (root / "key").chmod(0o600)
        for link, leads in {
            "good": "file",
            "bad": "../out/file",
            "folder": "../out",
            "loop": "loop",
            "gone": "x",
        }.items():
            (root / "in" / link).symlink_to(leads)
        self._rights = Rights(
            permissions=Permissions(
                read=(f"{root}/in",),
                stat=(f"{root}/looked",),
                commands=(("no-such-program", "*"),),
                network=("127.0.0.1:1",),
                secrets=("token",),
            ),
            secrets={"token": SecretSource.parse(f"file:{root}/key"), "other": SecretSource.parse(f"file:{root}/key")},
        )

    def close(self) -> None:
        """Nothing of it is left."""
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        shutil.rmtree(self._root)

    def seeds(self) -> Iterator[bytes]:
        """Inputs to begin with."""
        for kind in range(5):
            for number in range(16):
                yield bytes((kind, 0, 1, number, 1))

    def run(self, data: bytes) -> None:
        """One request."""
        source = Source(data)
        request = self._request(source)
        noted: list[Mapping[str, Any]] = []
        broker = Broker(self._rights, lambda _, what: noted.append(what))
        asking = asyncio.wait_for(broker.answer(request, time_left_s=1.0), DEADLINE_S)
        answer, descriptor = self._loop.run_until_complete(asking)
        try:
            self._judge(request, answer, descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)
        assert len(noted) == 1
        assert ("denied" in noted[0] or "error" in noted[0]) == isinstance(answer, wire.Refused)
        assert "secret-value" not in repr(noted)

    def _judge(self, request: wire.Use, answer: object, descriptor: int | None) -> None:
        match answer:
            case wire.Opened():
                assert isinstance(request, wire.Open)
                assert descriptor is not None
                assert os.path.realpath(f"/proc/self/fd/{descriptor}").startswith(f"{self._root}/in/")
            case wire.Status():
                assert isinstance(request, wire.Stat)
                real = request.path if Path(request.path).is_symlink() else os.path.realpath(request.path)
                assert real.startswith((f"{self._root}/in", f"{self._root}/looked"))
            case wire.Revealed():
                assert isinstance(request, wire.Secret)
                assert request.name == "token"
            case wire.Refused():
                assert descriptor is None
            case _:
                raise AssertionError(f"nothing like {answer} was granted")

    def _request(self, source: Source) -> wire.Use:
        match source.below(5):
            case 0:
                return wire.Open(call=1, id=1, check=None, path=self._path(source))
            case 1:
                return wire.Stat(call=1, id=1, check=None, path=self._path(source))
            case 2:
                name = source.one_of(("token", "other", "Token", "to\nken", "")) or _text(source)
                return wire.Secret(call=1, id=1, check=None, name=name)
            case 3:
                host = source.one_of(_HOSTS) or _text(source)
                port = 1 + source.below(3)
                return wire.Connect(call=1, id=1, check=None, host=host, port=port, timeout_s=0.5)
            case _:
                argv = [source.one_of(("no-such-program", "sh", "/bin/sh", "*", _text(source))), _text(source)]
                return wire.Run(call=1, id=1, check=None, argv=argv[: 1 + source.below(2)], timeout_s=1.0)

    def _path(self, source: Source) -> str:
        begin = source.one_of((str(self._root), "", "/", str(self._root) + "/in", "/proc/self"))
        parts = [source.one_of((*_PARTS, _text(source))) for _ in range(source.below(6))]
        return "/".join((begin, *parts)) or "/"


def _text(source: Source) -> str:
    return source.take(source.below(12)).decode("utf-8", "surrogateescape")


@contextmanager
def broker() -> Iterator[BrokerTarget]:
    """The target, for as long as it is needed."""
    target = BrokerTarget()
    try:
        yield target
    finally:
        target.close()

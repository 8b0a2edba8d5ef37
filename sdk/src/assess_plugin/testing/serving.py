"""A host of this kit behind a worker: what the plugin asks over the pipe is asked of the host, and answered.

    answer, descriptor = answer_of(request, host, held)

The runtime's broker does the same within its own rules (docs/wire.md, "Requests"); whatever is asked here, the host
compares with the manifest and writes down.
"""

import contextlib
import os
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from assess_plugin.models import Denied, HostError
from assess_plugin.testing.recording import RecordingHost

INLINE_BYTES = 256 * 1024
"""Output up to this length travels in the message; more goes as a descriptor."""

Answer = tuple[dict[str, Any], int | None]
Pieces = dict[str, bytearray]
"""Evidence whose last chunk has not come, by name."""


def answer_of(request: Mapping[str, Any], host: RecordingHost, pieces: Pieces) -> Answer:
    """What to send, and the descriptor that goes with it, which is the caller's to close."""
    ids = {"call": request["call"], "id": request["id"]}
    try:
        with _attributed(host, request["check"]):
            answer, descriptor = _WAYS[request["type"]](request, host, pieces)
    except Denied as error:
        return {"type": "refused", **ids, "kind": "denied", "errno": None, "message": str(error)}, None
    except OSError as error:
        words = os.strerror(error.errno or 0)
        return {"type": "refused", **ids, "kind": "os", "errno": error.errno, "message": words}, None
    except HostError as error:
        return {"type": "refused", **ids, "kind": "failed", "errno": None, "message": str(error)}, None
    return {**answer, **ids}, descriptor


def notice(message: Mapping[str, Any], host: RecordingHost) -> bool:
    """Whether the message is none that is answered, and the host has taken it."""
    match message["type"]:
        case "log":
            host.log(message["message"], message["level"])
        case "progress":
            host.progress(message["done"], message["total"], message["note"])
        case _:
            return False
    return True


def _run(request: Mapping[str, Any], host: RecordingHost, _: Pieces) -> Answer:
    result = host.run(request["argv"], timeout_s=request["timeout_s"])
    spilled = len(result.stdout) > INLINE_BYTES
    answer = {
        "type": "ran",
        "exit_code": result.exit_code,
        "stdout": "" if spilled else _text(result.stdout),
        "stderr": _text(result.stderr),
        "truncated": result.truncated,
        "spilled": len(result.stdout) if spilled else None,
    }
    return answer, descriptor_of(result.stdout) if spilled else None


def _open(request: Mapping[str, Any], host: RecordingHost, _: Pieces) -> Answer:
    with host.open(request["path"]) as file:
        return {"type": "opened"}, _descriptor(file)


def _stat(request: Mapping[str, Any], host: RecordingHost, _: Pieces) -> Answer:
    found = host.stat(request["path"])
    return {"type": "status", "mode": found.mode, "uid": found.uid, "gid": found.gid, "size": found.size}, None


def _connect(request: Mapping[str, Any], host: RecordingHost, _: Pieces) -> Answer:
    with host.connect(request["host"], request["port"], timeout_s=request["timeout_s"]) as made:
        family = "inet6" if made.family.name == "AF_INET6" else "inet"
        return {"type": "connected", "family": family}, os.dup(made.fileno())


def _secret(request: Mapping[str, Any], host: RecordingHost, _: Pieces) -> Answer:
    return {"type": "revealed", "value": host.secret(request["name"])}, None


def _evidence(request: Mapping[str, Any], host: RecordingHost, pieces: Pieces) -> Answer:
    data = pieces.setdefault(request["name"], bytearray())
    data += a2b_base64(request["data"])
    if not request["more"]:
        host.evidence(request["name"], bytes(pieces.pop(request["name"])), request["media_type"])
    return {"type": "taken"}, None


_WAYS: Mapping[str, Callable[[Mapping[str, Any], RecordingHost, Pieces], Answer]] = {
    "run": _run,
    "open": _open,
    "stat": _stat,
    "connect": _connect,
    "secret": _secret,
    "evidence": _evidence,
}

REQUESTS = frozenset(_WAYS)


def descriptor_of(data: bytes) -> int:
    """A file in memory that holds the data, to be read from its beginning."""
    descriptor = os.memfd_create("assess-test", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _descriptor(file: BinaryIO) -> int:
    try:
        return os.dup(file.fileno())
    except OSError:  # a host may answer from memory: io.UnsupportedOperation
        return descriptor_of(file.read())


@contextlib.contextmanager
def _attributed(host: RecordingHost, check: str | None) -> Iterator[None]:
    if check is None:
        yield
        return
    with host.attribute(check):
        yield


def _text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")

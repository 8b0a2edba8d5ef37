"""Both directions of docs/wire.md as types; bytes become one of them, or the worker is at fault.

The only file that knows msgspec's details. Decoding checks everything that needs no state: fields, types, lengths.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from assess_plugin.asking import MAX_ARGUMENTS, MAX_COUNT, MAX_HOST, MAX_PATH, MAX_SECRET_NAME
from assess_plugin.isolation.profile import Profile
from assess_plugin.models import MAX_ID, MAX_TEXT, CheckResult, LogLevel, Subject
from assess_plugin.wire import EVIDENCE_CHUNK, HEADER, MAX_FRAME, PROBLEMS_AT_ONCE

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Number = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Path = Annotated[str, Meta(min_length=1, max_length=MAX_PATH)]


class MessageError(Exception):
    """A frame's body is not a message of docs/wire.md."""


class _Message(Struct, tag_field="type", tag=str.lower, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


# --- parent to child


class Isolate(_Message, frozen=True):
    """First words to a worker that is to be isolated. `required`: it ends where the kernel cannot."""

    required: bool
    profile: Profile


class Hello(_Message, frozen=True):
    """First words to any other, else second."""

    protocol: int
    api: str
    nonce: str


class Entry(Struct, frozen=True):
    """One entry point to load."""

    name: str
    kind: Literal["plugin", "provider"]
    module: str
    attr: str


class Load(_Message, frozen=True):
    """Import these."""

    entries: tuple[Entry, ...]


class Execute(_Message, frozen=True):
    """Assess a subject."""

    call: int
    entry: str
    subject: Subject
    checks: tuple[str, ...]
    settings: Any


class Evaluate(_Message, frozen=True):
    """Find subjects."""

    call: int
    entry: str
    selector: Any
    runtime: str
    labels: Any
    settings: Any


class Ran(_Message, frozen=True):
    """A command ended."""

    call: int
    id: int
    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool
    spilled: int | None


class Opened(_Message, frozen=True):
    """A file's descriptor comes with this."""

    call: int
    id: int


class Connected(_Message, frozen=True):
    """A connected socket comes with this."""

    call: int
    id: int
    family: Literal["inet", "inet6"]


class Revealed(_Message, frozen=True):
    """A secret."""

    call: int
    id: int
    value: str


class Status(_Message, frozen=True):
    """What lstat said."""

    call: int
    id: int
    mode: int
    uid: int
    gid: int
    size: int


class Taken(_Message, frozen=True):
    """A chunk of evidence is here."""

    call: int
    id: int


class Refused(_Message, frozen=True):
    """A request came to nothing."""

    call: int
    id: int
    kind: Literal["denied", "os", "failed"]
    errno: int | None
    message: str


class Shutdown(_Message, frozen=True):
    """Last words."""


ToWorker = (
    Isolate
    | Hello
    | Load
    | Execute
    | Evaluate
    | Ran
    | Opened
    | Connected
    | Revealed
    | Status
    | Taken
    | Refused
    | Shutdown
)

# --- child to parent


class Isolated(_Message, frozen=True):
    """It was done as `Isolate` says, and looked at from inside."""

    landlock_abi: Annotated[int, Meta(ge=1, le=1_000)]


class Unisolated(_Message, frozen=True):
    """It was not, and why; with `goes_on` nothing was done and the worker is as it was."""

    reason: Text
    goes_on: bool


class Welcome(_Message, frozen=True):
    """The child understood `Hello`."""

    protocol: int
    api: Annotated[str, Meta(max_length=20)]
    nonce: Annotated[str, Meta(max_length=64)]
    python: Annotated[str, Meta(max_length=20)]


class Loaded(_Message, frozen=True):
    """All entry points can be called."""

    entries: list[Text]


class Unloadable(_Message, frozen=True):
    """One cannot, and why."""

    entry: Text
    reason: Text


class Executed(_Message, frozen=True):
    """Results, or a part of them."""

    call: int
    results: list[CheckResult]
    more: bool


class Evaluated(_Message, frozen=True):
    """Subjects, or a part of them."""

    call: int
    subjects: list[Subject]
    more: bool


class Incomplete(_Message, frozen=True):
    """What could not be found, before the reply that has what was."""

    call: int
    problems: Annotated[list[Text], Meta(min_length=1, max_length=PROBLEMS_AT_ONCE)]


class Raised(_Message, frozen=True):
    """The hook raised, or returned what cannot be sent."""

    call: int
    reason: Text


class Log(_Message, frozen=True):
    """A line for the operator."""

    call: int
    level: LogLevel
    message: Text


class Progress(_Message, frozen=True):
    """How far the call has come."""

    call: int
    done: Number
    total: Number
    note: Text


class Run(_Message, frozen=True):
    """Run a command."""

    call: int
    id: int
    check: Id | None
    argv: Annotated[list[str], Meta(min_length=1, max_length=MAX_ARGUMENTS)]
    timeout_s: float


class Open(_Message, frozen=True):
    """Open a file."""

    call: int
    id: int
    check: Id | None
    path: Path


class Stat(_Message, frozen=True):
    """Ask for a path's status."""

    call: int
    id: int
    check: Id | None
    path: Path


class Connect(_Message, frozen=True):
    """Connect to a peer."""

    call: int
    id: int
    check: Id | None
    host: Annotated[str, Meta(min_length=1, max_length=MAX_HOST)]
    port: Annotated[int, Meta(ge=1, le=65535)]
    timeout_s: float


class Secret(_Message, frozen=True):
    """Tell a secret."""

    call: int
    id: int
    check: Id | None
    name: Annotated[str, Meta(min_length=1, max_length=MAX_SECRET_NAME)]


class Evidence(_Message, frozen=True):
    """A chunk of evidence."""

    call: int
    id: int
    check: Id | None
    name: Id
    media_type: Annotated[str, Meta(pattern=r"\A[ -~]+/[ -~]+\Z", max_length=MAX_ID)]
    data: Annotated[bytes, Meta(max_length=EVIDENCE_CHUNK)]
    more: bool


Use = Run | Open | Stat | Connect | Secret
"""What the broker does; evidence is the call's own."""

Request = Use | Evidence
FromWorker = (
    Isolated
    | Unisolated
    | Welcome
    | Loaded
    | Unloadable
    | Executed
    | Evaluated
    | Incomplete
    | Raised
    | Log
    | Progress
    | Run
    | Open
    | Stat
    | Connect
    | Secret
    | Evidence
)


def decode(body: bytes | bytearray | memoryview) -> FromWorker:
    """The child's message in a frame's body.

    Raises:
        MessageError: it is none; says where it is wrong.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError) as error:
        raise MessageError(str(error)[:500]) from error


def encode(message: ToWorker) -> bytes:
    """The message as one frame, header included.

    Raises:
        ValueError: it is larger than a frame, or holds what JSON cannot say.
    """
    try:
        if isinstance(message, _WITH_SETTINGS):
            _require_finite(message.settings)
        body = _encoder.encode(message)
    except (TypeError, OverflowError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(f"cannot be sent to a plugin: {error}") from error
    if len(body) > MAX_FRAME:
        raise ValueError(f"is {len(body)} bytes as a message; the limit is {MAX_FRAME}")
    return len(body).to_bytes(HEADER, "big", signed=True) + body


_WITH_SETTINGS = (Execute, Evaluate)
_HARMLESS = (str, int, type(None))
_MAPPING, _SEQUENCE = (dict, Mapping), (list, tuple)


def _require_finite(value: object) -> None:
    """TOML has `nan` and `inf`, JSON has not, and msgspec would send null."""
    if isinstance(value, _HARMLESS):
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"{value} is not a number that JSON can say")
    if isinstance(value, _MAPPING):
        value = tuple(value.values())
    elif not isinstance(value, _SEQUENCE):
        return
    for item in value:
        if not isinstance(item, _HARMLESS):
            _require_finite(item)


def _encodable(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a message")


_decoder: msgspec.json.Decoder[FromWorker] = msgspec.json.Decoder(FromWorker)
_encoder = msgspec.json.Encoder(enc_hook=_encodable)

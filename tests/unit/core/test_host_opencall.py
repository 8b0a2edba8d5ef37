"""An open call between the pipe and the broker: requests one at a time, and no reply before the last is answered."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from assess_core.call_record import Held
from assess_core.host import messages as wire
from assess_core.host.broker import Broker
from assess_core.host.call import Call, ViolationError
from assess_core.host.opencall import HookRaisedError, OpenCall
from assess_core.host.redaction import Redactor
from assess_core.host.rights import Rights
from assess_plugin import CheckResult, Outcome
from assess_plugin.wire import HEADER

HELD = Held(isolation="full", user="uid:1", landlock_abi=7)
STAT = wire.Stat(call=1, id=1, check="a", path="/etc/shadow")
REPLY = wire.Executed(call=1, results=[CheckResult(check_id="a", outcome=Outcome.PASS)], more=False)


class Pipe:
    """An open call of a plugin that may do nothing, what it sent, and what it could not help."""

    def __init__(self) -> None:
        self.redactor = Redactor()
        self.sent: list[tuple[bytes, int | None]] = []
        self.bugs: list[BaseException] = []
        now = datetime(2026, 11, 21, tzinfo=UTC)
        self.call = Call(1, reply=wire.Executed, checks=("a",), now=now, redactor=self.redactor)
        self.broker = Broker(Rights(), self.call.record)
        self.open = OpenCall(
            self.call,
            self.broker,
            send=lambda frame, descriptor: self.sent.append((frame, descriptor)),
            time_left_s=lambda: 10.0,
            on_bug=self.bugs.append,
        )

    def take(self, message: Any) -> bool:
        return self.open.take(message, 10)

    @property
    def evidence(self) -> dict[str, bytes]:
        return {name: piece.data for name, piece in self.call.record_so_far(1, held=HELD).evidence.items()}

    @property
    def uses(self) -> list[Any]:
        return [use.what for use in self.call.record_so_far(1, held=HELD).provenance]


def piped(use: Callable[[Pipe], Awaitable[None]]) -> Pipe:
    async def run() -> Pipe:
        pipe = Pipe()
        await use(pipe)
        return pipe

    return asyncio.run(run())


async def answered(pipe: Pipe, number: int = 1) -> None:
    async with asyncio.timeout(60):
        while len(pipe.sent) < number and not pipe.bugs:
            await asyncio.sleep(0)


def test_a_request_is_answered_and_then_the_reply_counts() -> None:
    async def use(pipe: Pipe) -> None:
        assert not pipe.take(STAT)
        await answered(pipe)
        assert pipe.take(REPLY)

    pipe = piped(use)
    ((frame, descriptor),) = pipe.sent
    answer = msgspec.json.decode(frame[HEADER:], type=wire.ToWorker)
    assert isinstance(answer, wire.Refused)
    assert (answer.kind, descriptor) == ("denied", None)
    assert pipe.uses == [{"denied": {"stat": "/etc/shadow"}}]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (REPLY, "replied before its request was answered"),
        (wire.Raised(call=1, reason="it is late"), "replied before its request was answered"),
        (wire.Stat(call=1, id=2, check=None, path="/"), "sent a request before its last one was answered"),
    ],
)
def test_while_a_request_is_open_only_notices_may_come(message: Any, why: str) -> None:
    async def use(pipe: Pipe) -> None:
        pipe.take(STAT)
        assert not pipe.take(wire.Log(call=1, level="info", message="still here"))
        with pytest.raises(ViolationError, match=why):
            pipe.take(message)
        await pipe.open.cut_short()

    piped(use)


@pytest.mark.parametrize("message", [wire.Loaded(entries=["it"]), wire.Isolated(landlock_abi=7)])
def test_what_belongs_to_a_start_is_not_due_in_a_call(message: Any) -> None:
    async def use(pipe: Pipe) -> None:
        with pytest.raises(ViolationError, match="during a call"):
            pipe.take(message)

    piped(use)


def test_a_hook_that_raised_is_a_reply_without_results() -> None:
    async def use(pipe: Pipe) -> None:
        with pytest.raises(HookRaisedError, match="no such table"):
            pipe.take(wire.Raised(call=1, reason="no such table"))

    piped(use)


def test_what_is_cut_short_is_on_record_and_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(pipe: Pipe) -> None:
        begun = asyncio.Event()

        async def never(*_: object) -> None:
            begun.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(pipe.broker.connections, "take", never)
        pipe.take(wire.Connect(call=1, id=1, check=None, host="db.example.org", port=80, timeout_s=5.0))
        await begun.wait()
        await pipe.open.cut_short()

    pipe = piped(use)
    assert (pipe.sent, pipe.bugs) == ([], [])
    assert pipe.uses == [{"connect": "db.example.org:80", "error": "cut short with the call"}]


def test_a_bug_of_ours_is_told_and_nothing_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(pipe: Pipe) -> None:
        async def breaks(*_: object, **__: object) -> None:
            raise RuntimeError("ours")

        monkeypatch.setattr(pipe.broker, "answer", breaks)
        pipe.take(STAT)
        await answered(pipe)

    pipe = piped(use)
    assert [str(bug) for bug in pipe.bugs] == ["ours"]
    assert pipe.sent == []


def evidence(number: int, *, more: bool = False) -> wire.Evidence:
    return wire.Evidence(
        call=1, id=number, check=None, name="e", media_type="text/plain", data=b"hunter2! " * 2, more=more
    )


def test_evidence_is_confirmed_once_it_was_searched_and_not_on_the_loops_thread() -> None:
    searched: list[bool] = []

    class Seen(Redactor):
        def data(self, data: bytes, abandoned: threading.Event | None = None) -> bytes:
            searched.append(threading.current_thread() is threading.main_thread())
            return super().data(data, abandoned)

    async def use(pipe: Pipe) -> None:
        pipe.redactor.mark("db", "hunter2!")
        pipe.take(evidence(1, more=True))
        assert len(pipe.sent) == 1, "the control: an unfinished piece is confirmed at once"
        searched.clear()
        pipe.take(evidence(2))
        assert len(pipe.sent) == 1
        assert pipe.evidence == {}, "were the call over now, nobody would wait for the search"
        with pytest.raises(ViolationError, match="before its request was answered"):
            pipe.take(REPLY)
        await answered(pipe, 2)
        assert pipe.evidence == {"e": b"[secret db] " * 4}
        assert searched == [True, False], "its name, and the piece"
        assert pipe.take(REPLY)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.Redactor", Seen)
        assert piped(use).bugs == []


def test_evidence_is_searched_again_before_another_secret_is_told() -> None:
    async def use(pipe: Pipe) -> None:
        pipe.take(evidence(1))
        assert len(pipe.sent) == 1, "the control: where no secret is known nothing is searched for"
        assert pipe.evidence == {"e": b"hunter2! " * 2}

        async def tells(request: object, *, time_left_s: float) -> tuple[Any, None]:
            pipe.redactor.mark("db", "hunter2!")
            return wire.Revealed(call=1, id=2, value="hunter2!"), None

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipe.broker, "answer", tells)
            pipe.take(wire.Secret(call=1, id=2, check=None, name="db"))
            await answered(pipe, 2)
        assert pipe.evidence == {"e": b"[secret db] " * 2}

    assert piped(use).bugs == []


def test_a_search_that_is_under_way_when_the_call_ends_breaks_nothing() -> None:
    told: list[threading.Event | None] = []

    class Seen(Redactor):
        def data(self, data: bytes, abandoned: threading.Event | None = None) -> bytes:
            told.append(abandoned)
            return super().data(data, abandoned)

    async def use(pipe: Pipe) -> None:
        pipe.redactor.mark("db", "hunter2!")
        pipe.take(evidence(1))
        async with asyncio.timeout(60):
            while len(told) < 2:  # its name, and the piece
                await asyncio.sleep(0)
        await pipe.open.cut_short()
        assert pipe.evidence == {}
        assert told[1] is not None
        assert told[1].is_set(), "nobody waits for it, and it is to stop"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.Redactor", Seen)
        pipe = piped(use)
    assert (pipe.sent, pipe.bugs) == ([], [])


def test_a_search_that_takes_long_holds_no_other_call_up() -> None:
    over = threading.Event()

    class Slow(Redactor):
        def data(self, data: bytes, abandoned: threading.Event | None = None) -> bytes:
            if threading.current_thread() is not threading.main_thread():
                over.wait(60)
            return super().data(data, abandoned)

    async def use(pipe: Pipe) -> None:
        pipe.redactor.mark("db", "hunter2!")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"{__name__}.Redactor", Slow)
            slow = Pipe()
        slow.redactor.mark("db", "hunter2!")
        slow.take(evidence(1))
        pipe.take(evidence(1))
        try:
            await answered(pipe)
            assert slow.sent == []
        finally:
            over.set()
        await answered(slow)
        assert slow.evidence == pipe.evidence == {"e": b"[secret db] " * 2}

    assert piped(use).bugs == []

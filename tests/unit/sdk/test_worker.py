"""Loading entry points and the remote host, without a process."""

import _socket
import json
import socket
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from assess_plugin import ActionInput, ActionOutput, HostError, hookimpl, wire
from assess_plugin.asking import clip
from assess_plugin.worker.plugins import UnloadableError, describe, load
from assess_plugin.worker.remote import PROGRESS_EVERY_S, RemoteHost


class Good:
    @hookimpl
    def assess_execute(self, input: ActionInput) -> ActionOutput:
        return ActionOutput(results=())


class Misspelt(Good):
    @hookimpl
    def assess_shut_down(self) -> None: ...


class Renamed:
    @hookimpl(specname="assess_execute")
    def whatever(self, input: ActionInput) -> ActionOutput:
        return ActionOutput(results=())


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("made_for_this_test")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def entry(attr: str, kind: str = "plugin") -> dict[str, str]:
    return {"name": "it", "kind": kind, "module": "made_for_this_test", "attr": attr}


def test_an_object_is_found_by_a_dotted_path_and_called(module: ModuleType) -> None:
    module.holder = type("Holder", (), {"plugin": Good()})  # type: ignore[attr-defined]
    hooks = load([entry("holder.plugin")])
    assert hooks["it"].assess_execute(input=None) == ActionOutput(results=())


def test_two_entry_points_do_not_hear_each_other(module: ModuleType) -> None:
    module.one, module.two = Good(), Renamed()  # type: ignore[attr-defined]
    hooks = load([{**entry("one"), "name": "one"}, {**entry("two"), "name": "two"}])
    assert [len(relay.assess_execute.get_hookimpls()) for relay in hooks.values()] == [1, 1]


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        (Good, "plugin", "is a class, and its hooks need an object"),
        (Misspelt(), "plugin", "assess_shut_down is not a hook; there are assess_evaluate, assess_execute"),
        (object(), "plugin", "a plugin must implement assess_execute"),
        (Good(), "provider", "a provider must implement assess_evaluate"),
    ],
)
def test_what_cannot_be_served_says_why(module: ModuleType, value: object, kind: str, reason: str) -> None:
    module.value = value  # type: ignore[attr-defined]
    with pytest.raises(UnloadableError, match=reason) as caught:
        load([entry("value", kind)])
    assert caught.value.entry == "it"


def test_an_exception_is_described_with_its_place() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        print(1 // 0)
    assert describe(caught.value).startswith("ZeroDivisionError: integer division or modulo by zero (test_worker.py:")
    assert describe(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert describe(ValueError("\ud800")) == "ValueError: ?"


@pytest.mark.parametrize(("given", "clipped"), [("x" * 5000, "x" * 4096), ("a\udcffb", "a?b"), (7, "7"), ("é", "é")])
def test_text_for_people_is_clipped_not_refused(given: object, clipped: str) -> None:
    assert clip(given) == clipped


class Parent:
    """The other end: reads what the host sent, and has its answers waiting."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.inner = _socket.socket(fileno=theirs.detach())
        self.host = RemoteHost(wire.Channel(self.inner), 1, ["a"])
        self._requests = 0

    def will_answer(self, **answer: Any) -> None:
        self._requests += 1
        self.socket.sendall(wire.encode({"call": 1, "id": self._requests, **answer}))

    def said(self) -> list[dict[str, Any]]:
        self.socket.setblocking(False)
        data, messages = b"", []
        while True:
            try:
                data += self.socket.recv(1 << 20)
            except BlockingIOError:
                break
        while data:
            size = int.from_bytes(data[:4], "big")
            messages.append(json.loads(data[4 : 4 + size]))
            data = data[4 + size :]
        return messages


@pytest.fixture
def parent() -> Iterator[Parent]:
    made = Parent()
    yield made
    made.socket.close()
    made.inner.close()


def status(parent: Parent) -> None:
    parent.will_answer(type="status", mode=1, uid=2, gid=3, size=4)


def test_a_request_names_the_check_it_is_for_and_nothing_else(parent: Parent) -> None:
    for _ in range(3):
        status(parent)
    parent.host.stat("/x")
    with parent.host.attribute("a"):
        assert parent.host.stat("/x").size == 4
    parent.host.stat("/x")
    assert [message["check"] for message in parent.said()] == [None, "a", None]
    with pytest.raises(ValueError, match="not asked for"):
        parent.host.attribute("b")


def test_a_refusal_becomes_the_error_it_stands_for(parent: Parent) -> None:
    parent.will_answer(type="refused", kind="os", errno=2, message="No such file or directory")
    with pytest.raises(FileNotFoundError) as caught:
        parent.host.open("/missing")
    assert (caught.value.errno, caught.value.filename) == (2, "/missing")
    parent.will_answer(type="refused", kind="failed", errno=None, message="too late")
    with pytest.raises(HostError, match="too late"):
        parent.host.run(["x"])


@pytest.mark.parametrize(
    "use",
    [
        lambda host: host.run("uname -a"),
        lambda host: host.run([]),
        lambda host: host.run(["a", 1]),
        lambda host: host.run(["a"], timeout_s=float("nan")),
        lambda host: host.open(7),
        lambda host: host.stat("\udcff"),
        lambda host: host.stat(""),
        lambda host: host.open("a\0b"),
        lambda host: host.run(["a", *["b"] * 1000]),
        lambda host: host.log("x", "loud"),
        lambda host: host.progress(-1, 2),
        lambda host: host.progress(1, 1 << 60),
        lambda host: host.progress(0.5, 1),
        lambda host: host.evidence("", b""),
        lambda host: host.evidence("a\nb", b""),
        lambda host: host.evidence("a", b"", "text"),
        lambda host: host.evidence("a", "text"),
    ],
)
def test_a_wrong_use_is_the_plugins_error_and_nothing_is_sent(parent: Parent, use: Any) -> None:
    with pytest.raises((TypeError, ValueError, HostError)):
        use(parent.host)
    assert parent.said() == []


def test_progress_waits_for_company(parent: Parent, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("assess_plugin.worker.remote.time.monotonic", lambda: now)
    for done in range(5):
        parent.host.progress(done, 5)
    assert [message["done"] for message in parent.said()] == [0]
    parent.host.log("company")
    assert [message.get("done", message["type"]) for message in parent.said()] == [4, "log"]
    now += 2 * PROGRESS_EVERY_S
    parent.host.progress(5, 5)
    assert [message["done"] for message in parent.said()] == [5]


def test_a_call_that_is_over_has_no_host(parent: Parent) -> None:
    parent.host.close()
    for use in (lambda: parent.host.log("x"), lambda: parent.host.progress(1, 2), lambda: parent.host.stat("/x")):
        with pytest.raises(HostError, match="over"):
            use()
    assert parent.said() == []


def test_a_runtime_that_is_gone_is_a_host_error(parent: Parent) -> None:
    parent.socket.shutdown(socket.SHUT_WR)
    with pytest.raises(HostError, match="gone"):
        parent.host.stat("/x")

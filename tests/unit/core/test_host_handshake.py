"""A worker's start as talk: what is sent when, and that nothing loads before the worker was seen to be held."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from assess_core.host import messages as wire
from assess_core.host.call import ViolationError
from assess_core.host.confinement import UnheldError
from assess_core.host.handshake import Handshake, UnloadableError
from assess_core.store import running_interpreter
from assess_plugin.isolation.profile import Identity, Profile, make_profile
from assess_plugin.wire import HEADER, PROTOCOL
from tests.support.installed import make_installed

PROFILE = make_profile(
    machine="x86_64",
    pid=4711,
    parent=4242,
    identity=Identity(uid=61184, gid=61184, capabilities=4),
    read=["/opt/lib"],
    write="/scratch",
    limits={},
)
ISOLATED = wire.Isolated(landlock_abi=7)
UNISOLATED = wire.Unisolated(reason="the kernel has no Landlock", goes_on=True)
LOADED = wire.Loaded(entries=["it"])


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Handshake]:
    installed = make_installed(tmp_path, {}, plugins={"it": "it:plugin"})

    def make(**changes: Any) -> Handshake:
        given: dict[str, Any] = {"api": "1.1", "profile": PROFILE, "required": True, "look": lambda _profile: None}
        return Handshake(installed, **(given | changes))

    return make


def sent(frames: bytes) -> list[dict[str, Any]]:
    found = []
    while frames:
        length = int.from_bytes(frames[:HEADER], "big")
        found.append(msgspec.json.decode(frames[HEADER : HEADER + length]))
        frames = frames[HEADER + length :]
    return found


def welcome(handshake: Handshake, **changes: Any) -> wire.Welcome:
    nonce = sent(handshake.opening())[-1]["nonce"]
    python = running_interpreter().version
    return msgspec.structs.replace(wire.Welcome(protocol=PROTOCOL, api="1.1", nonce=nonce, python=python), **changes)


def test_it_is_told_how_to_isolate_itself_first(start: Callable[..., Handshake]) -> None:
    isolate, hello = sent(start().opening())
    assert (isolate["type"], isolate["required"], hello["type"]) == ("isolate", True, "hello")
    assert isolate["profile"]["identity"] == {"uid": 61184, "gid": 61184, "capabilities": 4}
    assert [message["type"] for message in sent(start(profile=None).opening())] == ["hello"]


def test_it_loads_only_after_it_was_looked_at(start: Callable[..., Handshake]) -> None:
    looked: list[Profile] = []
    handshake = start(look=looked.append)
    assert handshake.take(ISOLATED) == b""
    assert looked == [PROFILE]
    (load,) = sent(handshake.take(welcome(handshake)))
    assert load["entries"] == [{"name": "it", "kind": "plugin", "module": "it", "attr": "plugin"}]
    assert (handshake.landlock_abi, handshake.ready) == (7, False)
    assert handshake.take(LOADED) == b""
    assert handshake.ready


def test_what_looks_wrong_from_outside_is_not_believed(start: Callable[..., Handshake]) -> None:
    def look(_profile: Profile) -> None:
        raise UnheldError("says Seccomp '0'")

    handshake = start(look=look)
    with pytest.raises(UnheldError, match="Seccomp"):
        handshake.take(ISOLATED)
    assert handshake.landlock_abi == 0


@pytest.mark.parametrize(
    ("required", "goes_on", "remedy"), [(True, True, True), (True, False, True), (False, False, False)]
)
def test_one_that_is_not_isolated_ends(
    start: Callable[..., Handshake], required: bool, goes_on: bool, remedy: bool
) -> None:
    handshake = start(required=required)
    with pytest.raises(UnheldError, match="no Landlock") as caught:
        handshake.take(wire.Unisolated(reason="the kernel has no Landlock", goes_on=goes_on))
    assert ("require_isolation" in str(caught.value)) is remedy


def test_one_that_may_goes_on_and_counts_as_not_isolated(start: Callable[..., Handshake]) -> None:
    handshake = start(required=False)
    assert handshake.take(UNISOLATED) == b""
    assert sent(handshake.take(welcome(handshake)))[0]["type"] == "load"
    assert handshake.landlock_abi == 0


def test_what_is_not_due_is_a_violation(start: Callable[..., Handshake]) -> None:
    for message in (welcome(start()), LOADED, wire.Unloadable(entry="it", reason="")):
        with pytest.raises(ViolationError, match="while it was being started"):
            start().take(message)
    isolated = start()
    isolated.take(ISOLATED)
    for again in (ISOLATED, UNISOLATED, LOADED):
        with pytest.raises(ViolationError, match="while it was being started"):
            isolated.take(again)
    with pytest.raises(ViolationError, match="while it was being started"):
        start(profile=None).take(ISOLATED)


@pytest.mark.parametrize("change", [{"protocol": 1}, {"nonce": "0" * 32}, {"api": "1.0"}])
def test_another_answer_to_hello_is_a_violation(start: Callable[..., Handshake], change: dict[str, Any]) -> None:
    handshake = start()
    handshake.take(ISOLATED)
    with pytest.raises(ViolationError, match="another protocol, API version or nonce"):
        handshake.take(welcome(handshake, **change))


def test_an_entry_point_that_cannot_be_served_is_named(start: Callable[..., Handshake]) -> None:
    handshake = start()
    handshake.take(ISOLATED)
    handshake.take(welcome(handshake))
    with pytest.raises(UnloadableError, match="no module") as caught:
        handshake.take(wire.Unloadable(entry="it", reason="no module"))
    assert caught.value.entry == "it"


def test_a_profile_is_the_same_on_both_ends_of_the_pipe() -> None:
    frame = wire.encode(wire.Isolate(required=True, profile=PROFILE))
    again = msgspec.json.decode(frame[HEADER:], type=wire.ToWorker)
    assert again == wire.Isolate(required=True, profile=PROFILE)
    assert replace(PROFILE, parent=1) != PROFILE


def test_nothing_is_loaded_under_another_python_than_it_was_installed_for(start: Callable[..., Handshake]) -> None:
    handshake = start(profile=None)
    with pytest.raises(UnloadableError, match=r"is 3\.42\.1 now; run `assess sync`"):
        handshake.take(welcome(handshake, python="3.42.1"))
    assert not handshake.welcomed
    major, minor, *_ = running_interpreter().version.split(".")
    assert handshake.take(welcome(handshake, python=f"{major}.{minor}.99")), "another patch release is the same Python"

"""Whatever a worker sends that is a message at all, the broker has an answer to it, and a record of it."""

import asyncio
import os
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assess_core.host.broker import Answer, Broker
from assess_core.host.messages import Connect, Open, Opened, Refused, Run, Secret, Stat, Status, Use, decode
from assess_core.host.rights import Rights
from assess_core.secrets import SecretSource
from assess_plugin.permissions import Permissions
from assess_plugin.wire import encode
from tests.support.examples import examples

Records = list[tuple[str | None, Mapping[str, Any]]]


def answer(request: Use, rights: Rights, *, api: str = "1.2", time_left_s: float = 5.0) -> tuple[Answer, Records]:
    records: Records = []

    async def run() -> Answer:
        broker = Broker(rights, lambda check, what: records.append((check, what)), api=api)
        said, descriptor = await broker.answer(request, time_left_s=time_left_s)
        if descriptor is not None:
            os.close(descriptor)
        return said

    return asyncio.run(run()), records


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan"), float("inf"), -float("inf")])
def test_a_time_that_is_none_is_refused(timeout_s: float) -> None:
    rights = Rights(permissions=Permissions(network=("127.0.0.1:9",), commands=(("true",),)))
    for request in (
        Connect(call=1, id=1, check=None, host="127.0.0.1", port=9, timeout_s=timeout_s),
        Run(call=1, id=1, check=None, argv=["true"], timeout_s=timeout_s),
    ):
        said, records = answer(request, rights)
        assert isinstance(said, Refused)
        assert (said.kind, len(records)) == ("failed", 1)
        assert "timeout_s must be a positive number" in said.message


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f.1", "2130706433", "017700000001", "127.0.0.1.", "LOCALHOST", "::ffff:127.0.0.1", "[::1]"]
)
def test_loopback_in_other_words_is_another_peer(host: str) -> None:
    """None of them is what the manifest says, however the resolver would read it; the control is."""
    rights = Rights(permissions=Permissions(network=("127.0.0.1:9", "localhost:9")))
    said, _ = answer(Connect(call=1, id=1, check=None, host=host, port=9, timeout_s=1.0), rights)
    assert isinstance(said, Refused)
    if host in ("127.0.0.1.", "LOCALHOST"):
        assert (said.kind, said.errno) == ("os", 111), "these two are, in its one spelling: nobody listens there"
    else:
        assert said.kind == ("failed" if "[" in host else "denied")


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433"])
def test_loopback_in_other_words_is_loopback_also_where_it_is_named(host: str) -> None:
    rights = Rights(permissions=Permissions(network=(f"{host}:9",)))
    said, records = answer(Connect(call=1, id=1, check=None, host=host, port=9, timeout_s=5.0), rights)
    assert isinstance(said, Refused)
    assert "loopback address 127.0.0.1" in said.message
    assert records == [(None, {"denied": {"connect": f"{host}:9", "address": "127.0.0.1"}})]


TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(string.ascii_lowercase + "/.*-_:[]0123456789\0\n", min_size=1, max_size=30),
    st.sampled_from(["localhost", "127.0.0.1", "::1", "/", "/tmp", "/proc/self/mem", "db", "..", "a" * 4096]),
)
COMMON = {"call": st.just(1), "id": st.just(1), "check": st.just(None)}
TIMES = st.floats(allow_nan=False, allow_infinity=False)
REQUESTS = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["open", "stat"]), "path": TEXTS, **COMMON}),
    st.fixed_dictionaries(
        {"type": st.just("connect"), "host": TEXTS, "port": st.integers(-1, 70000), "timeout_s": TIMES, **COMMON}
    ),
    st.fixed_dictionaries({"type": st.just("secret"), "name": TEXTS, **COMMON}),
    st.fixed_dictionaries({"type": st.just("run"), "argv": st.lists(TEXTS, max_size=3), "timeout_s": TIMES, **COMMON}),
)


@given(REQUESTS)
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_is_a_message_is_answered_and_recorded_once(tmp_path: Path, message: dict[str, Any]) -> None:
    """What is permitted here is little; what is asked for is everything."""
    source = SecretSource.parse("env:NO_SUCH_VARIABLE")
    permissions = Permissions(read=(str(tmp_path),), network=("127.0.0.1:1",), secrets=("db",))
    rights = Rights(permissions=permissions, secrets={"db": source}).without(tmp_path / "private")
    try:
        request = decode(encode(message)[4:])
    except Exception:
        return
    assert isinstance(request, Open | Stat | Connect | Secret | Run)
    said, records = answer(request, rights)
    assert (said.call, said.id, len(records)) == (1, 1, 1)
    assert isinstance(said, Refused | Opened | Status)


def test_a_permitted_file_is_opened_and_looked_at(tmp_path: Path) -> None:
    """The control of the above."""
    (tmp_path / "file").write_text("x")
    rights = Rights(permissions=Permissions(read=(str(tmp_path),)))
    path = str(tmp_path / "file")
    assert isinstance(answer(Open(call=1, id=1, check=None, path=path), rights)[0], Opened)
    assert isinstance(answer(Stat(call=1, id=1, check=None, path=path), rights)[0], Status)

"""Whatever a plugin does to its pipe costs its own process and nobody else anything."""

import asyncio
from pathlib import Path

import pytest

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import CallReport, Supervisor
from assess_plugin import ActionInput, Outcome, Subject
from tests.support.installed import host_config, make_program

SUBJECT = Subject(id="host:test", type="inventory-item", title="test")

DECENT = ("decent", "dribbles", "largest", "request")
ATTACKS = {
    "half-frame-and-close": "closed the pipe after",
    "closes": "closed the pipe",
    "lying-length": "announced a message of 2147483647 bytes; the limit is 1048576",
    "negative-length": "announced a message of -1 bytes",
    "oversize": "announced a message of 1048577 bytes",
    "empty-frame": "Input data was truncated",
    "garbage": "JSON is malformed",
    "deep-json": "Expected `object`, got `array`",
    "nan": "JSON is malformed",
    "huge-number": "out of range",
    "lone-surrogate": "surrogate",
    "invents-outcome": "Invalid enum value 'timeout'",
    "zero-outcome": "Expected `str`, got `int`",
    "long-text": "4097 characters",
    "unknown-type": "Invalid value 'exec'",
    "unknown-field": "unknown field `to`",
    "welcome-again": "sent welcome during a call",
    "wrong-call": "sent a message of call 2 during call 1",
    "evaluated-instead": "replied evaluated",
    "wrong-request-id": "sent request 2 where 1 was due",
    "wrong-check": "'not-asked-for', which was not asked for",
    "two-requests": "before its last one was answered",
    "reply-before-answer": "replied before its request was answered",
    "flood-of-logs": "more than 2000 log lines",
    "flood-of-parts": "more than 67108864 bytes",
}


async def call(root: Path, *checks: str, timeout_s: float = 30.0) -> list[CallReport | PluginFault]:
    """What became of one call for each check, one after the other, in one supervisor."""
    installed = make_program(root, "breaks_wire", permissions='read = ["/etc/passwd"]')
    # These workers never come back from their hook, so that a patient end would only be slow.
    supervisor = Supervisor(installed, host_config(root, stop_timeout_s=0.01, kill_after_s=0.1))
    outcomes: list[CallReport | PluginFault] = []
    for check in checks:
        try:
            given = ActionInput(subject=SUBJECT, checks=(check,))
            outcomes.append(await supervisor.execute("it", given, timeout_s=timeout_s))
        except PluginFault as fault:
            outcomes.append(fault)
    await supervisor.stop()
    assert not list((root / "scratch").iterdir())
    return outcomes


@pytest.mark.parametrize("check", DECENT)
def test_a_raw_reply_that_keeps_to_the_protocol_counts(tmp_path: Path, check: str) -> None:
    (report,) = asyncio.run(call(tmp_path, check))
    assert isinstance(report, CallReport)
    assert [result.outcome for result in report.output.results] == [Outcome.PASS]


@pytest.mark.parametrize("check", ATTACKS)
def test_a_violation_ends_the_worker_and_says_which(tmp_path: Path, check: str) -> None:
    (fault,) = asyncio.run(call(tmp_path, check))
    assert isinstance(fault, PluginFault)
    assert fault.kind is FaultKind.PROTOCOL
    assert ATTACKS[check] in str(fault)


def test_half_a_frame_is_a_missed_deadline(tmp_path: Path) -> None:
    (fault,) = asyncio.run(call(tmp_path, "half-frame", timeout_s=0.3))
    assert isinstance(fault, PluginFault)
    assert fault.kind is FaultKind.TIMEOUT


def test_requests_whose_answers_are_never_read_are_bounded(tmp_path: Path) -> None:
    (fault,) = asyncio.run(call(tmp_path, "flood-of-requests", timeout_s=1.0))
    assert isinstance(fault, PluginFault)
    assert fault.kind in (FaultKind.PROTOCOL, FaultKind.TIMEOUT)


def test_a_second_reply_is_nobodys_but_the_first_counts(tmp_path: Path) -> None:
    (report,) = asyncio.run(call(tmp_path, "two-replies"))
    assert isinstance(report, CallReport)
    assert report.output.results[0].outcome is Outcome.PASS


def test_the_next_call_gets_a_new_worker(tmp_path: Path) -> None:
    fault, report = asyncio.run(call(tmp_path, "garbage", "decent"))
    assert isinstance(fault, PluginFault)
    assert isinstance(report, CallReport)


def test_a_neighbour_is_served_during_a_flood(tmp_path: Path) -> None:
    async def run() -> None:
        config = host_config(tmp_path, stop_timeout_s=0.01, kill_after_s=0.1)
        bad = Supervisor(make_program(tmp_path, "breaks_wire"), config)
        good = Supervisor(make_program(tmp_path, "behaves"), config)
        await asyncio.gather(bad.start(), good.start())
        flood = asyncio.create_task(
            bad.execute("it", ActionInput(subject=SUBJECT, checks=("flood-of-parts",)), timeout_s=30)
        )
        served = 0
        while not flood.done():
            await good.execute("it", ActionInput(subject=SUBJECT, checks=("nothing",)), timeout_s=5)
            served += 1
        with pytest.raises(PluginFault):
            await flood
        assert served > 3
        await asyncio.gather(bad.stop(), good.stop())

    asyncio.run(run())


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    asyncio.run(call(tmp_path, "garbage", "closes", "decent"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before

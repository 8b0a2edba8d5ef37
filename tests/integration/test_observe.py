"""Log lines on real streams, crash reports on a real disk, and an endpoint over real sockets."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from assess_core.observe.context import about
from assess_core.observe.crash import KEPT, ONCE_S, Crashes, digest_of, reports_in
from assess_core.observe.endpoint import MAX_REQUEST, Answer, Endpoint, Listen, listen_at
from assess_core.observe.lines import Style
from assess_core.observe.log import ALWAYS, log_to, style_of

log = logging.getLogger("assess_core.test")


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[TextIO]:
    with (tmp_path / "log").open("w+") as opened:
        yield opened


def test_records_reach_the_stream_in_order_with_their_run(stream: TextIO) -> None:
    with log_to(stream, style="json", level="info"):
        with about("3f2a", "host"):
            log.info("first", extra={"action": "one"})
        log.debug("not told")
        log.warning("second")
    stream.seek(0)
    said = [json.loads(line) for line in stream.read().splitlines()]
    assert [(each["message"], each.get("run_id")) for each in said] == [("first", "3f2a"), ("second", None)]


def test_what_was_kept_back_is_told_at_the_end(stream: TextIO) -> None:
    with log_to(stream, style="json", level="info"):
        for _ in range(25):
            log.info("again")
    stream.seek(0)
    said = [json.loads(line)["message"] for line in stream.read().splitlines()]
    assert said == ["again"] * 20 + ["again (5 times more within a minute)"]


class Broken:
    """As a plugin or a library may hand it over."""

    def __str__(self) -> str:
        raise LookupError("no name")

    __repr__ = __str__


@pytest.mark.parametrize("style", ["text", "priority", "json"])
def test_whatever_is_wrong_with_a_record_nobody_who_logs_is_told(style: Style, stream: TextIO) -> None:
    with log_to(stream, style=style, level="info") as told:
        for said, arguments in (("%(x)s is missing", ({"y": 1},)), ("%s of %s", (Broken(), 2)), (Broken(), ())):
            told.handle(logging.LogRecord("assess_core", logging.INFO, "/a.py", 1, said, arguments, None))
        told.handle(logging.makeLogRecord({"msg": "with it", "levelname": "INFO", "thing": Broken()}))
        log.info("control")
    stream.seek(0)
    lines = stream.read().splitlines()
    assert len(lines) == 5
    assert "%(x)s is missing" in lines[0]
    assert "%s of %s a tuple that cannot be shown (LookupError: no name)" in lines[1]
    assert "a Broken that cannot be shown" in lines[2]
    assert "with it" in lines[3]
    assert "control" in lines[4]


def test_level_and_form_are_followed_and_what_has_to_be_told_is(stream: TextIO) -> None:
    always = logging.getLogger(ALWAYS)
    before = always.level
    with log_to(stream, style="text", level="info") as told:
        log.info("told")
        told.follow(style="json", level="error")
        log.warning("not told")
        always.info("the chain stands")
        always.debug("not told")
        log.error("told")
    stream.seek(0)
    lines = stream.read().splitlines()
    assert len(lines) == 3
    assert [json.loads(line)["message"] for line in lines[1:]] == ["the chain stands", "told"]
    assert always.level == before


def test_afterwards_logging_is_as_it_was(stream: TextIO) -> None:
    before = (logging.getLogger().handlers[:], logging.getLogger("assess_core").level)
    with log_to(stream, style="text", level="debug"):
        assert logging.getLogger("assess_core").level == logging.DEBUG
    assert (logging.getLogger().handlers[:], logging.getLogger("assess_core").level) == before


FLOOD = """
import logging, sys, time
from assess_core.observe.log import WAITING, log_to
with log_to(sys.stderr, style="json", level="info"):
    log = logging.getLogger("assess_core")
    for n in range(WAITING + 5_000):
        log.handle(logging.LogRecord("assess_core", 20, f"/{n}.py", n, "x" * 50, (), None))
    print("logged", flush=True)
print("ended", flush=True)
"""


@pytest.mark.parametrize("read", [False, True])
def test_a_reader_that_does_not_read_holds_up_nobody(read: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FLOOD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as flooding:
        assert flooding.stdout is not None
        assert flooding.stderr is not None
        if not read:
            assert flooding.stdout.readline() == "logged\n"
            assert (flooding.stdout.readline(), flooding.wait(60)) == ("ended\n", 0)
        said = flooding.stderr.read()
        assert flooding.wait(60) == 0
    lines = [json.loads(line) for line in said.splitlines(keepends=True) if line.endswith("\n")]
    assert lines[0]["message"] == "x" * 50
    assert len(lines) < 15_000 if not read else len(lines) > 10_000


def test_systemds_journal_is_known_by_its_stream(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        status = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert style_of("text", stream, environ) == "priority"
        assert style_of("json", stream, environ) == "json"
        assert style_of("text", stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"}) == "text"


def crash(message: str = "boom") -> Exception:
    try:
        raise LookupError(message)
    except LookupError as error:
        return error


def test_a_crash_is_written_down_for_its_owner_alone(tmp_path: Path) -> None:
    crashes = Crashes(tmp_path / "crash", recent=lambda: ["one", "two\x1b[31m"], about={"assess": "0.1.0"})
    path = crashes.report(crash())
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    text = path.read_text()
    assert "LookupError: boom" in text
    assert "assess: 0.1.0" in text
    assert "\x1b" not in text
    assert "two" in text


def test_the_same_crash_is_told_once_an_hour_and_ten_are_kept(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    crashes = Crashes(tmp_path, clock=lambda: now[0])
    error = crash()
    assert crashes.report(error) is not None
    assert crashes.report(error) is None
    now[0] += ONCE_S
    assert crashes.report(error) is not None
    for _ in range(KEPT + 3):
        now[0] += ONCE_S
        last = crashes.report(error)
    kept = reports_in(tmp_path)
    assert len(kept) == KEPT
    assert kept[-1] == last
    assert crashes.count == KEPT + 6


def test_processes_that_follow_each_other_write_the_same_crash_once_an_hour(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now, error = [1_800_000_000.0], crash()
    first = Crashes(tmp_path, clock=lambda: now[0]).report(error)
    assert first is not None
    for _ in range(KEPT + 2):
        now[0] += 1
        assert Crashes(tmp_path, clock=lambda: now[0]).report(error) is None
        assert str(first) in caplog.records[-1].getMessage(), "it is said where it was written"
    assert reports_in(tmp_path) == (first,)
    now[0] += ONCE_S
    assert Crashes(tmp_path, clock=lambda: now[0]).report(error) is not None, "the control"
    now[0] -= 10 * ONCE_S
    assert Crashes(tmp_path, clock=lambda: now[0]).report(error) is not None, "a clock that was set back hides none"


def test_one_fault_that_comes_again_and_again_takes_no_others_report(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    crashes = Crashes(tmp_path, clock=lambda: now[0])
    other = crashes.report(LookupError("another place"))
    error, written = crash(), []
    for _ in range(KEPT + 5):
        now[0] += ONCE_S
        written.append(crashes.report(error))
    kept = reports_in(tmp_path)
    assert len(kept) == KEPT
    assert (kept[0], kept[1], kept[-1]) == (other, written[0], written[-1])


def test_a_directory_that_takes_nothing_costs_no_more_than_the_report(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "crash").write_text("a file")
    assert Crashes(tmp_path / "crash").report(crash()) is None
    assert [getattr(each, "action", "") for each in caplog.records] == ["bug"]


def test_errors_of_the_same_place_have_one_digest() -> None:
    assert digest_of(crash("a")) == digest_of(crash("b"))
    other = LookupError("boom")
    assert digest_of(other) != digest_of(crash())


def in_a_process(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    program = textwrap.dedent(
        """
        import os, signal, threading
        from pathlib import Path
        from assess_core.observe.crash import Crashes
        crashes = Crashes(Path({place!r}))
        with crashes.caught():
            {body}
        """
    ).format(place=str(tmp_path / "crash"), body=body)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)


def test_a_thread_that_dies_of_a_bug_is_reported(tmp_path: Path) -> None:
    ended = in_a_process(tmp_path, "t = threading.Thread(target=lambda: 1 / 0, name='worker'); t.start(); t.join()")
    assert ended.returncode == 0, ended.stderr
    (report,) = reports_in(tmp_path / "crash")
    assert "where: thread worker" in report.read_text()
    assert "ZeroDivisionError" in report.read_text()


def test_a_death_by_signal_is_kept_by_the_next_start(tmp_path: Path) -> None:
    died = in_a_process(tmp_path, "os.kill(os.getpid(), signal.SIGSEGV)")
    assert died.returncode == -11
    assert reports_in(tmp_path / "crash") == ()
    assert in_a_process(tmp_path, "pass").returncode == 0
    (report,) = reports_in(tmp_path / "crash")
    assert report.name.endswith("-fatal.txt")
    assert "Fatal Python error: Segmentation fault" in report.read_text()
    assert in_a_process(tmp_path, "pass").returncode == 0
    assert len(reports_in(tmp_path / "crash")) == 1, "the control: who ended well left none"


async def ok() -> Answer:
    return Answer(status=200, body=b"ok\n")


async def asked(request: bytes, *, answer: Callable[..., object] = ok, timeout_s: float = 2.0) -> bytes:
    async with Endpoint({"/healthz": answer}, timeout_s=timeout_s).on(listen_at("127.0.0.1:0")) as at:  # type: ignore[dict-item]
        reader, writer = await asyncio.open_connection(at.host, at.port)
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.read(), 60)
        finally:
            writer.close()


GOOD = b"GET /healthz HTTP/1.1\r\nHost: localhost:9464\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (GOOD, 200),
        (GOOD.replace(b"localhost:9464", b"127.0.0.1"), 200),
        (GOOD.replace(b"localhost:9464", b"[::1]:1"), 200),
        (GOOD.replace(b"/healthz", b"/healthz?x=1"), 200),
        (GOOD.replace(b"localhost", b"evil.example"), 421),
        (GOOD.replace(b"localhost:9464", b"127.0.0.1.evil.example"), 421),
        (GOOD.replace(b"/healthz", b"/../etc/passwd"), 404),
        (GOOD.replace(b"GET", b"POST"), 405),
        (GOOD.replace(b"Host: localhost:9464\r\n", b""), 400),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n", 400),
        (GOOD[:-2] + b"X: " + b"a" * 3 * MAX_REQUEST + b"\r\n\r\n", 431),
    ],
)
def test_what_is_answered(request_: bytes, status: int) -> None:
    said = asyncio.run(asked(request_))
    assert said.split(b" ")[1] == str(status).encode()
    assert (b"\r\n\r\nok\n" in said) == (status == 200)


def test_head_gets_the_head_alone() -> None:
    said = asyncio.run(asked(GOOD.replace(b"GET", b"HEAD")))
    assert b"content-length: 3" in said
    assert said.endswith(b"\r\n\r\n")


def test_who_asks_slowly_is_let_go() -> None:
    assert asyncio.run(asked(GOOD[:20], timeout_s=0.2)) == b""


def test_an_answer_that_fails_ends_one_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> Answer:
        raise LookupError("boom")

    assert asyncio.run(asked(GOOD, answer=broken)) == b""
    assert [getattr(each, "action", "") for each in caplog.records] == ["endpoint-failed"]


async def get(at: Listen) -> bytes:
    reader, writer = await asyncio.open_connection(at.host, at.port)
    writer.write(GOOD)
    try:
        return await asyncio.wait_for(reader.read(), 60)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_who_asks_nothing_keeps_out_nobody_who_does() -> None:
    async def flood() -> tuple[list[bytes], bytes]:
        async with Endpoint({"/healthz": ok}, at_once=2, timeout_s=300).on(listen_at("127.0.0.1:0")) as at:
            idle = [await asyncio.open_connection(at.host, at.port) for _ in range(6)]
            for _, writer in idle:
                writer.write(GOOD[:20])
            served = [await get(at) for _ in range(3)]
            first, _ = idle[0]
            oldest = b""
            with contextlib.suppress(ConnectionError):
                oldest = await asyncio.wait_for(first.read(), 60)
            for _, writer in idle:
                writer.close()
            return served, oldest

    served, oldest = asyncio.run(flood())
    assert [each[:12] for each in served] == [b"HTTP/1.1 200"] * 3
    assert oldest == b"", "it was let go, long before its time was over"


def test_more_than_a_few_that_are_being_answered_are_closed() -> None:
    async def flood() -> tuple[bytes, list[bytes], bytes]:
        over, begun = asyncio.Event(), asyncio.Semaphore(0)

        async def slow() -> Answer:
            begun.release()
            await over.wait()
            return await ok()

        async with Endpoint({"/healthz": slow}, at_once=2, timeout_s=300).on(listen_at("127.0.0.1:0")) as at:
            busy = [asyncio.create_task(get(at)) for _ in range(2)]
            for _ in busy:
                await begun.acquire()
            refused = await get(at)
            over.set()
            return refused, await asyncio.gather(*busy), await get(at)

    refused, busy, served = asyncio.run(flood())
    assert refused == b""
    assert [each[:12] for each in (*busy, served)] == [b"HTTP/1.1 200"] * 3


def test_both_kinds_of_loopback_are_listened_on() -> None:
    assert listen_at("127.0.0.1:9464") == Listen(host="127.0.0.1", port=9464)
    assert listen_at("[::1]:0") == Listen(host="::1", port=0)


def test_a_port_that_is_taken_is_said() -> None:
    async def listen(port: int) -> None:
        async with Endpoint({"/healthz": ok}).on(listen_at(f"127.0.0.1:{port}")):
            pass

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            asyncio.run(listen(taken.getsockname()[1]))

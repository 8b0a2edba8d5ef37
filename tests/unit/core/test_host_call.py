"""What a call may send, and what that comes to."""

from datetime import UTC, datetime
from typing import Any

import pytest

from assess_core.host import Held, LogLine, Progress, messages
from assess_core.host.call import MAX_SUBJECTS, Call, ReplyError, ViolationError
from assess_core.host.redaction import Redactor
from assess_plugin import CheckResult, Evidence, Outcome, Subject
from assess_plugin.wire import MAX_CALL_BYTES, MAX_EVIDENCE_NAMES, MAX_NOTICE_BYTES, MAX_NOTICES, MAX_REQUESTS

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HELD = Held(isolation="full", user="uid:1", landlock_abi=7)


def call(*checks: str, **more: Any) -> Call:
    return Call(1, reply=more.pop("reply", messages.Executed), checks=checks or ("a", "b"), now=NOW, **more)


def executed(*results: CheckResult, more: bool = False) -> messages.Executed:
    return messages.Executed(call=1, results=list(results), more=more)


def result(check: str = "a", **more: Any) -> CheckResult:
    return CheckResult(check_id=check, outcome=Outcome.PASS, **more)


def chunk(number: int, name: str = "n", data: bytes = b"x", **changes: Any) -> messages.Evidence:
    given = {"call": 1, "id": number, "check": None, "name": name, "media_type": "text/plain", "data": data}
    return messages.Evidence(**{**given, "more": False, **changes})


def test_parts_make_one_reply_in_the_order_asked_for() -> None:
    asked = call("a", "b", "c")
    assert not asked.add(executed(result("c"), more=True))
    assert asked.add(executed(result("a")))
    report = asked.call_report(12, held=HELD)
    assert [(each.check_id, each.outcome.value) for each in report.output.results] == [
        ("a", "pass"),
        ("b", "error"),
        ("c", "pass"),
    ]
    assert (report.duration_ms, report.held, report.started_at) == (12, HELD, NOW)


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ([result("x")], "check 'x', which was not asked for"),
        ([result("a"), result("a")], "check 'a' twice"),
        ([result("a"), result("b"), result("a"), result("b")], "check 'a' twice"),
        (
            [result("a", evidence=(Evidence(name="n", media_type="text/plain"),))],
            "evidence 'n' .text/plain., which was",
        ),
    ],
)
def test_a_wrong_id_fails_the_whole_reply(results: list[CheckResult], reason: str) -> None:
    asked = call()
    asked.add(executed(*results))
    with pytest.raises(ReplyError, match=reason):
        asked.call_report(0, held=HELD)


def test_a_reply_of_the_other_kind_is_a_violation() -> None:
    with pytest.raises(ViolationError):
        call(reply=messages.Evaluated).add(executed())


def test_subjects_are_bounded_and_found_once() -> None:
    def found(*ids: int) -> Call:
        asked = call(reply=messages.Evaluated)
        subjects = [Subject(id=str(number), type="component", title="t") for number in ids]
        asked.add(messages.Evaluated(call=1, subjects=subjects, more=False))
        return asked

    assert len(found(*range(MAX_SUBJECTS)).evaluate_report(0, held=HELD).result.subjects) == MAX_SUBJECTS
    with pytest.raises(ReplyError, match="more than 10000"):
        found(*range(MAX_SUBJECTS + 1)).evaluate_report(0, held=HELD)
    with pytest.raises(ReplyError, match="twice: 1"):
        found(1, 1).evaluate_report(0, held=HELD)


def test_messages_are_of_this_call_and_bounded_in_bytes() -> None:
    asked = call()
    asked.count(1, MAX_CALL_BYTES - 4)
    with pytest.raises(ViolationError, match="more than"):
        asked.count(1, 0)
    with pytest.raises(ViolationError, match="call 2 during call 1"):
        call().count(2, 0)


def test_notices_are_cleaned_passed_on_and_bounded() -> None:
    events: list[Progress | LogLine] = []
    asked = call(on_event=events.append)
    asked.notice(messages.Log(call=1, level="error", message="a\nb\x1b[2J"), 10)
    asked.notice(messages.Progress(call=1, done=1, total=2, note="c\r"), 10)
    assert events == [LogLine(level="error", message="a b"), Progress(done=1, total=2, note="c")]
    for _ in range(MAX_NOTICES - 2):
        asked.notice(messages.Log(call=1, level="info", message=""), 10)
    with pytest.raises(ViolationError):
        asked.notice(messages.Log(call=1, level="info", message=""), 10)
    with pytest.raises(ViolationError):
        call().notice(messages.Log(call=1, level="info", message=""), MAX_NOTICE_BYTES)


def test_requests_count_and_name_a_check_that_was_asked_for() -> None:
    def stat(number: int, check: str | None = None) -> messages.Stat:
        return messages.Stat(call=1, id=number, check=check, path="/x")

    asked = call()
    assert asked.request(stat(1, "a")) is None
    with pytest.raises(ViolationError, match="request 3 where 2 was due"):
        asked.request(stat(3))
    with pytest.raises(ViolationError, match="'x', which was not asked for"):
        call().request(stat(1, "x"))
    asked = call()
    answers = [asked.request(stat(number + 1)) for number in range(2 * MAX_REQUESTS)]
    assert answers[MAX_REQUESTS - 1] is None
    assert isinstance(answers[MAX_REQUESTS], messages.Refused)
    with pytest.raises(ViolationError, match="more than"):
        asked.request(stat(2 * MAX_REQUESTS + 1))


def test_evidence_is_put_together_and_a_name_is_used_once() -> None:
    asked = call("a")
    assert isinstance(asked.request(chunk(1, data=b"one", more=True)), messages.Taken)
    assert isinstance(asked.request(chunk(2, data=b"two")), messages.Taken)
    assert isinstance(asked.request(chunk(3)), messages.Refused)
    assert isinstance(asked.request(chunk(4, "m", more=True)), messages.Taken)
    with pytest.raises(ViolationError, match="before the end of 'm'"):
        asked.request(chunk(5, "o", more=True))
    asked.add(executed(result(evidence=(Evidence(name="n", media_type="text/plain"),))))
    report = asked.call_report(0, held=HELD)
    assert {name: piece.data for name, piece in report.evidence.items()} == {"n": b"onetwo"}, "not the unfinished one"


def test_unfinished_evidence_is_no_evidence() -> None:
    asked = call("a")
    asked.request(chunk(1, more=True))
    asked.add(executed(result(evidence=(Evidence(name="n", media_type="text/plain"),))))
    with pytest.raises(ReplyError):
        asked.call_report(0, held=HELD)


def test_evidence_names_are_bounded_and_printable() -> None:
    asked = call()
    answers = [asked.request(chunk(number + 1, str(number))) for number in range(MAX_EVIDENCE_NAMES + 1)]
    assert [type(answer) for answer in answers[-2:]] == [messages.Taken, messages.Refused]
    with pytest.raises(ViolationError):
        call().request(chunk(1, "a\x1b[2J"))


def test_a_use_is_on_record_once_for_each_check() -> None:
    asked = call()
    for check in ("a", "a", None, "b"):
        asked.record(check, {"open": "/x"})
    report = asked.call_report(0, held=HELD)
    assert [(use.check, use.what) for use in report.provenance] == [
        ("a", {"open": "/x"}),
        (None, {"open": "/x"}),
        ("b", {"open": "/x"}),
    ]


def partly(*problems: str) -> messages.Incomplete:
    return messages.Incomplete(call=1, problems=list(problems))


def test_what_could_not_be_found_comes_with_what_was() -> None:
    asked = call(reply=messages.Evaluated)
    for _ in range(4):
        asked.fall_short(partly(*["line 7"] * 25))
    asked.add(messages.Evaluated(call=1, subjects=[Subject(id="a", type="user", title="a")], more=False))
    found = asked.evaluate_report(1, held=HELD).result
    assert (len(found.subjects), found.problems) == (1, ("line 7",) * 100)


@pytest.mark.parametrize(("problems", "api"), [([" "], "1.3"), (["x"] * 101, "1.3"), (["why"], "1.2")])
def test_what_no_result_can_hold_or_the_api_has_not_fails_the_reply(problems: list[str], api: str) -> None:
    asked = call(reply=messages.Evaluated, api=api)
    for start in range(0, len(problems), 25):
        asked.fall_short(partly(*problems[start : start + 25]))
    asked.add(messages.Evaluated(call=1, subjects=[], more=False))
    with pytest.raises(ReplyError, match="problem"):
        asked.evaluate_report(1, held=HELD)


def test_who_looks_for_nothing_misses_nothing() -> None:
    with pytest.raises(ViolationError, match="looks for nothing"):
        call().fall_short(partly("why"))


def test_a_flood_of_it_is_only_counted() -> None:
    asked = call(reply=messages.Evaluated)
    for _ in range(1000):
        asked.fall_short(partly(*["x" * 4000] * 25))
    assert len(asked._problems) == 101


def test_a_secret_is_taken_out_of_it() -> None:
    redactor = Redactor()
    redactor.mark("password", "correct horse")
    asked = call(reply=messages.Evaluated, redactor=redactor)
    asked.fall_short(partly("login with correct horse failed"))
    asked.add(messages.Evaluated(call=1, subjects=[], more=False))
    assert asked.evaluate_report(1, held=HELD).result.problems == ("login with [secret password] failed",)

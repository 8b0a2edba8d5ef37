"""What is logged once for as long as it is so takes no more room the longer a runtime runs."""

import logging

import pytest

from assess_core.errors import ConfigError
from assess_core.live.saying import MAX_SAID, Saying


def test_mistakes_that_are_remembered_are_bounded_and_each_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    saying = Saying()
    with caplog.at_level(logging.ERROR):
        for number in range(10 * MAX_SAID):
            for _ in range(2):
                saying.refused(ConfigError(f"line {number}: what it says varies"))
    assert saying.remembered == MAX_SAID
    assert len(caplog.records) == 10 * MAX_SAID
    saying.refused(ConfigError("line 0: what it says varies"))
    assert len(caplog.records) == 10 * MAX_SAID + 1, "forgotten, so it is said again"


def test_that_nothing_is_wrong_any_more_is_said_once_and_only_where_something_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    saying = Saying()
    with caplog.at_level(logging.INFO):
        saying.forget()
        assert caplog.records == [], "the control: nothing was wrong"
        saying.refused(ConfigError("line 1"))
        saying.forget()
        saying.forget()
    assert [vars(each)["action"] for each in caplog.records] == ["config-refused", "config-mended"]

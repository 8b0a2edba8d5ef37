"""What is logged once for as long as it is so takes no more room the longer a runtime runs."""

import logging
from pathlib import Path
from typing import NoReturn

import pytest

from assess_core.errors import ConfigError
from assess_core.live.live import MAX_SAID, Live


def test_mistakes_that_are_remembered_are_bounded_and_each_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def load() -> NoReturn:
        raise ConfigError("never asked")

    live = Live(load, tmp_path)
    with caplog.at_level(logging.ERROR):
        for number in range(10 * MAX_SAID):
            for _ in range(2):
                live._refused(ConfigError(f"line {number}: what it says varies"))
    assert len(live._said) == MAX_SAID
    assert len(caplog.records) == 10 * MAX_SAID
    live._refused(ConfigError("line 0: what it says varies"))
    assert len(caplog.records) == 10 * MAX_SAID + 1, "forgotten, so it is said again"

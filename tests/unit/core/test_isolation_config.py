"""The two keys that take isolation away, and what is said of them."""

from pathlib import Path

import pytest

from assess_core.config import Config, parse
from assess_core.configured import isolation_of
from assess_core.errors import ConfigError

REST = '[registry]\nurl = "https://registry.example/simple"\nroot = "1.root.json"\n'


def configured(keys: str) -> Config:
    return parse(f"[runtime]\n{keys}\n{REST}".encode(), Path("/etc/assess/assess.toml"))


@pytest.mark.parametrize(
    ("keys", "asked", "relaxed"),
    [
        ("", "required", ()),
        ('require_isolation = "full"', "required", ()),
        ('require_isolation = "none"', "wanted", ('runtime.require_isolation = "none"',)),
        ("run_plugins_without_isolation = false", "required", ()),
        ("run_plugins_without_isolation = true", "off", ("runtime.run_plugins_without_isolation = true",)),
        (
            'require_isolation = "none"\nrun_plugins_without_isolation = true',
            "off",
            ('runtime.require_isolation = "none"', "runtime.run_plugins_without_isolation = true"),
        ),
    ],
)
def test_what_the_keys_ask_of_the_host_and_leave_in_every_result(
    keys: str, asked: str, relaxed: tuple[str, ...]
) -> None:
    runtime = configured(keys).runtime
    assert (isolation_of(runtime), runtime.relaxed) == (asked, relaxed)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('require_isolation = "some"', "require_isolation"),
        ("require_isolation = false", "require_isolation"),
        ('run_plugins_without_isolation = "yes"', "run_plugins_without_isolation"),
        ("run_plugins_without_isolation = 1", "run_plugins_without_isolation"),
    ],
)
def test_nothing_else_is_taken_for_consent(keys: str, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"assess\.toml: runtime\.{says}: "):
        configured(keys)

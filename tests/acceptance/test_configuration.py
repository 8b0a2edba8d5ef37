"""A wrong assess.toml ends in exit 2 with every problem at once, in words and as JSON, and changes nothing."""

import json
from pathlib import Path

from tests.support.checkout import Checkout

WRONG = """
[runtime]
id = ""
lables = { env = "prod" }

[registry]
url = "ftp://example.org/simple"
root = "simple-index/metadata/1.root.json"

[[plugins]]
name = "assess-host-baseline"
verison = "~=1.0"

[[assessments]]
id = "host"
plugin = "host-baseline"
provider = "local-host"
timeout_s = -3
checks = "all"
"""

EXPECTED = {
    "runtime.id": "",
    "runtime.lables": "labels",
    "registry.url": "",
    "plugins[0].verison": "version",
    "assessments[0].timeout_s": "",
    "assessments[0].checks": "",
}
"""Key path -> the nearest valid word that the message must offer."""


def state_of(place: Checkout) -> set[Path]:
    return set((place.path / ".assess/state").rglob("*"))


def test_every_problem_is_reported_at_once(ran: Checkout) -> None:
    (ran.path / "wrong.toml").write_text(WRONG)
    before = state_of(ran)
    done = ran.shell("assess run --config wrong.toml --output json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "configuration"
    assert error["exit"] == 2
    for path, nearest in EXPECTED.items():
        problem = next((one for one in error["problems"] if f"wrong.toml: {path}:" in one), None)
        assert problem is not None, (path, error["problems"])
        assert nearest in problem
        assert problem in done.stderr
    assert len(error["problems"]) == len(EXPECTED)
    assert state_of(ran) == before


def test_names_that_only_the_installed_plugins_know_are_checked_too(ran: Checkout) -> None:
    text = (ran.path / "assess.toml").read_text()
    wrong = text.replace('"host-baseline"', '"host-basline"').replace('"local-host"', '"local-hosts"')
    assert wrong != text
    (ran.path / "names.toml").write_text(wrong)
    done = ran.shell("assess run --config names.toml")
    assert done.returncode == 2, done.stderr
    assert "'host-baseline'" in done.stderr
    assert "'local-host'" in done.stderr


def test_settings_the_manifest_refuses(ran: Checkout) -> None:
    text = (ran.path / "assess.toml").read_text()
    settings = "[plugins.settings]\nminimum_versions = { openssl = 3 }\nminimum_version = {}\n"
    head, found, tail = text.partition("\n[[assessments]]\n")
    assert found
    (ran.path / "settings.toml").write_text(head + "\n" + settings + found + tail)
    done = ran.shell("assess run --config settings.toml")
    assert done.returncode == 2, done.stderr
    assert "plugins[0].settings.minimum_versions" in done.stderr
    assert "did you mean 'minimum_versions'" in done.stderr

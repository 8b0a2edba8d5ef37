"""A fresh checkout, a clean environment, one command: this machine is assessed by a signed plugin."""

import json
import os
import re
from collections import Counter

import pytest

from tests.support.checkout import ORDINARY_USER, Checkout, checkout, require_root
from tests.support.programs import require_program


def outcomes(place: Checkout) -> Counter[str]:
    document = json.loads((place.path / ".assess/results/run.json").read_text())
    return Counter(result["outcome"] for result in document["results"])


def assess_this_machine(place: Checkout) -> None:
    first = place.run("make", "run-local")
    assert first.returncode == 0, first.stdout + first.stderr
    counts = outcomes(place)
    assert counts.total() >= 24
    for outcome in ("pass", "fail", "not-applicable"):
        assert counts[outcome] >= 1, counts
    assert counts["error"] == counts["timeout"] == 0
    assert "assess run" in first.stdout + first.stderr  # what to try next
    again = place.run("make", "run-local")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "installing assess" not in again.stderr
    assert outcomes(place) == counts


def test_as_an_ordinary_user() -> None:
    require_program("setpriv")
    require_root("to become an ordinary user")
    with checkout(user=ORDINARY_USER) as place:
        assess_this_machine(place)
        keys = place.path / ".assess/keys"
        assert (keys / "local.key").stat().st_mode & 0o077 == 0


def test_as_whoever_runs_the_tests() -> None:
    with checkout() as place:
        assess_this_machine(place)


def test_after_the_first_run_no_network_is_needed(ran: Checkout) -> None:
    require_program("unshare")
    require_root("to take the network away")
    cut_off = ["unshare", "--net", "--"]
    assert ran.run("true", prefix=cut_off).returncode == 0
    for line in (["make", "run-local"], [".venv/bin/assess", "sync"], [".venv/bin/assess", "run", "--fail-on", "none"]):
        done = ran.run(*line, prefix=cut_off)
        assert done.returncode == 0, (line, done.stdout + done.stderr)


def test_a_run_with_findings_exits_3_and_says_so(ran: Checkout) -> None:
    done = ran.shell("assess run")
    assert done.returncode == 3, done.stdout + done.stderr
    assert re.search(r"\bfail\b", done.stdout)


def test_every_result_names_the_plugin_the_user_and_the_missing_isolation(ran: Checkout) -> None:
    done = ran.shell("assess run --output json")
    document = json.loads(done.stdout)
    assert document["run"]["exit"] == done.returncode == 3
    for result in document["results"]:
        assert result["plugin"]["distribution"] == "assess-host-baseline"
        assert re.fullmatch(r"[0-9a-f]{64}", result["plugin"]["sha256"])
        assert result["isolation"] == "none"
        assert result["user"] == f"uid:{os.getuid()}"
        assert result["registry"] == "development"
        assert result["stale"] is False


def test_results_of_earlier_runs_are_kept(ran: Checkout) -> None:
    listed = json.loads(ran.shell("assess results list --output json").stdout)
    assert len(listed["runs"]) >= 1
    shown = ran.shell(f"assess results show {listed['runs'][0]['run_id']} --output json")
    assert shown.returncode == 0, shown.stderr
    assert len(json.loads(shown.stdout)["results"]) >= 24


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("assess --help", 0),
        ("assess plugins list", 0),
        ("assess plugins verify", 0),
        ("assess run --list-checks", 0),
        ("assess explain sysctl-protected-symlinks", 0),
        ("assess explain sysctl-protected-simlinks", 2),
        ("assess run --check no-such-check", 2),
        ("assess run --check 'sysctl-*' --fail-on none", 0),
        ("assess runn", 2),
        ("assess run --config missing.toml", 2),
    ],
)
def test_commands_end_as_documented(ran: Checkout, line: str, code: int) -> None:
    done = ran.shell(line)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr

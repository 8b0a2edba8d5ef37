"""A fresh checkout, a clean environment, one command: this machine is assessed by a signed plugin."""

import json
import os
import pwd
import re
import resource
from collections import Counter

import pytest

from tests.support.checkout import ORDINARY_USER, Checkout, checkout, require_root
from tests.support.programs import require_program


def outcomes(place: Checkout) -> Counter[str]:
    document = json.loads((place.path / ".assess/results/run.json").read_text())
    return Counter(result["outcome"] for result in document["results"])


def look_at_what_the_first_run_left(place: Checkout) -> None:
    """The machine was assessed, secrets are the owner's alone, and doing it again is quick and says the same."""
    counts = outcomes(place)
    assert counts.total() >= 24
    for outcome in ("pass", "fail", "not-applicable"):
        assert counts[outcome] >= 1, counts
    assert counts["error"] == counts["timeout"] == 0
    for private in ("keys/publisher/local.key", "keys/root/local.key", "state", "state/trust"):
        assert (place.path / ".assess" / private).stat().st_mode & 0o077 == 0, private
    began_s = worked_s()
    again = place.run("make", "run-local")
    took_s = worked_s() - began_s
    assert again.returncode == 0, again.stdout + again.stderr
    assert "installing assess" not in again.stderr
    assert "without --fail-on none this exits 3" in again.stderr
    assert "assess explain" in again.stderr  # what to try next
    assert ".assess/results/assessment-results.json" in again.stderr
    assert outcomes(place) == counts
    assert took_s < 10, took_s  # one or two, and more where others work: nothing is installed, built or fetched


def worked_s() -> float:
    """Processor time of all that was started and has ended: what other programs on the machine do is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_as_an_ordinary_user() -> None:
    require_program("setpriv")
    require_root("to become an ordinary user")
    with checkout(user=ORDINARY_USER) as place:
        first = place.run("make", "run-local")
        assert first.returncode == 0, first.stdout + first.stderr
        look_at_what_the_first_run_left(place)
        document = json.loads((place.path / ".assess/results/run.json").read_text())
        assert {result["user"] for result in document["results"]} == {f"uid:{pwd.getpwnam(ORDINARY_USER).pw_uid}"}


def test_as_whoever_runs_the_tests(ran: Checkout) -> None:
    look_at_what_the_first_run_left(ran)


def test_git_sees_nothing_of_what_the_run_left(ran: Checkout) -> None:
    """Everything generated is ignored: keys above all."""
    require_program("git")
    for line in ("git init -q", "git add -A"):
        assert ran.shell(line).returncode == 0
    added = ran.shell("git ls-files").stdout.splitlines()
    ran.shell("rm -rf .git")
    assert "Makefile" in added
    published = (
        "simple-index/simple",
        "simple-index/files",
        "simple-index/metadata",
        "simple-index/registry.toml",
        "simple-index/.submissions",
    )
    generated = (".assess/", ".venv/", "assess.toml", *published)
    assert not [name for name in added if name.startswith(generated) or name.endswith((".key", ".stamp"))]


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


def test_every_result_names_the_plugin_and_what_held_it(ran: Checkout) -> None:
    done = ran.shell("assess run --output json")
    document = json.loads(done.stdout)
    assert document["run"]["exit"] == done.returncode == 3
    for result in document["results"]:
        assert result["plugin"]["distribution"] == "assess-host-baseline"
        assert re.fullmatch(r"[0-9a-f]{64}", result["plugin"]["sha256"])
        assert (result["isolation"], result["relaxed"]) == ("full", [])
        assert result["landlock_abi"] >= 1
        assert (result["user"] == f"uid:{os.getuid()}") is (os.getuid() != 0), (
            "root gives each worker a user of its own"
        )
        assert result["registry"] == "development"
        assert result["stale"] is False


def test_results_of_earlier_runs_are_kept(ran: Checkout) -> None:
    listed = json.loads(ran.shell("assess results list --output json").stdout)
    assert len(listed["runs"]) >= 1
    shown = ran.shell(f"assess results show {listed['runs'][0]['run_id']} --output json")
    assert shown.returncode == 0, shown.stderr
    assert len(json.loads(shown.stdout)["results"]) >= 24


def test_what_is_kept_is_what_was_found_and_is_vouched_for(ran: Checkout) -> None:
    verified = json.loads(ran.shell("assess results verify --output json").stdout)
    assert (verified["sound"], verified["troubles"]) == (True, [])
    assert verified["runs"] == len(json.loads(ran.shell("assess results list --output json").stdout)["runs"])
    (chain,) = verified["chains"]
    assert chain["last"] == 1 + verified["runs"]


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

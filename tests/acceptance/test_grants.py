"""An operator narrows what was approved, and consents to what a new version asks for: by the commands, as typed."""

import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.sites import Site, make_site, one_document
from tests.support.checkout import Checkout
from tests.support.wheels import DEMO_CHECKS, WheelBuilder, demo_manifest

BEFORE = 'read = ["/proc/sys", "/etc/os-release"]\ncommands = [["uname", "-s"]]\n'
MORE = BEFORE.replace('"/etc/os-release"', '"/etc/os-release", "/etc/passwd"')
FIRST = WheelBuilder(manifest=demo_manifest(DEMO_CHECKS, permissions=BEFORE))
SECOND = WheelBuilder(version="1.1.0", manifest=demo_manifest(DEMO_CHECKS, permissions=MORE))
COMMAND = re.compile(r"assess plugins consent demo-plugin==1\.1\.0 --to ([0-9a-f]{64})")


@pytest.fixture(scope="module")
def installed(ran: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The first version is at work, and the second one published."""
    site = make_site(ran, tmp_path_factory.mktemp("grants") / "site")
    site.publish(FIRST)
    site.configure()
    assert site.assess("sync").returncode == 0
    return site


@pytest.fixture
def site(installed: Site, tmp_path: Path) -> Site:
    """A copy with a state of its own, in which the first version is at work."""
    copy = installed.copy(tmp_path / "site")
    done = copy.assess("run", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert one_document(done.stdout)["run"]["waiting"] == []
    copy.publish(SECOND)
    return copy


def synced(site: Site, *, code: int = 0) -> Any:
    done = site.assess("sync", "--output", "json")
    assert done.returncode == code, done.stdout + done.stderr
    (line,) = one_document(done.stdout)["plugins"]
    return line


def test_what_is_new_waits_is_said_everywhere_and_runs_when_the_printed_command_was_typed(site: Site) -> None:
    done = site.assess("sync")
    assert done.returncode == 0, done.stderr
    assert "waiting" in done.stdout
    assert "Beyond what 1.0.0 may do it asks for:\n  read /etc/passwd\n" in done.stderr
    assert 'to stay with what runs: version = "==1.0.0"' in done.stderr
    typed = COMMAND.search(done.stderr)
    assert typed is not None

    run = site.assess("run", "--quiet", "--output", "json")
    assert run.returncode == 0, run.stderr
    assert typed[0] in run.stderr
    document = one_document(run.stdout)
    (waiting,) = document["run"]["waiting"]
    assert (waiting["version"], waiting["running"]) == ("1.1.0", "1.0.0")
    assert waiting["added"] == ["read /etc/passwd"]
    assert waiting["consent"] == typed[0]
    assert {result["plugin"]["version"] for result in document["results"]} == {"1.0.0"}
    line = synced(site)
    assert (line["action"], line["version"], line["previous"]) == ("waiting", "1.1.0", "1.0.0")
    assert line["waiting"]["digest"] == typed[1]
    (listed,) = one_document(site.assess("plugins list", "--output", "json").stdout)["plugins"]
    assert (listed["version"], listed["waiting"]["digest"], listed["consents"]) == ("1.0.0", typed[1], [])
    assert listed["asked"] == listed["granted"]

    wrong = site.assess("plugins consent", "demo-plugin==1.1.0", "--to", "0" * 64)
    assert wrong.returncode == 2
    assert typed[0] in wrong.stderr
    assert synced(site)["action"] == "waiting"
    program, *verb_and_more = shlex.split(typed[0])
    assert program == "assess"
    consented = site.assess(" ".join(verb_and_more[:2]), *verb_and_more[2:])
    assert consented.returncode == 0, consented.stderr
    assert "read /etc/passwd" in consented.stdout
    after = site.assess("run", "--output", "json")
    assert {each["plugin"]["version"] for each in one_document(after.stdout)["results"]} == {"1.1.0"}
    assert COMMAND.search(after.stderr) is None
    shown = one_document(
        site.assess("plugins show demo-plugin".rpartition(" ")[0], "demo-plugin", "--output", "json").stdout
    )
    (consent,) = shown["plugin"]["consents"]
    assert (consent["version"], consent["digest"], consent["added"]) == ("1.1.0", typed[1], ["read /etc/passwd"])
    assert consent["at"].endswith("Z")
    assert "uid" in consent["by"]


def test_what_is_not_granted_ends_run_and_sync_with_2_and_names_key_value_and_ways_out(site: Site) -> None:
    narrowed = {"name": "demo-plugin", "version": "==1.0.0", "grant": {"commands": []}}
    site.configure(plugins=[narrowed])
    run = site.assess("run", "--output", "json")
    assert run.returncode == 2, run.stderr
    (problem,) = one_document(run.stdout)["error"]["problems"]
    line = synced(site, code=2)
    assert (line["action"], line["withheld"]) == ("withheld", [problem])
    assert problem.startswith(f"{site.config}: plugins[0].grant.commands: demo-plugin 1.0.0 asks for ")
    assert '["uname", "-s"]' in problem
    for way_out in ("add it there", "plugins[0].run_with_less = true"):
        assert way_out in problem
    site.configure(plugins=[narrowed | {"run_with_less": True}])  # one of them
    assert site.assess("run").returncode in (0, 3, 4)
    (listed,) = one_document(site.assess("plugins list", "--output", "json").stdout)["plugins"]
    assert listed["withheld"] == [{"key": "commands", "value": ["uname", "-s"]}]
    assert listed["granted"]["commands"] == []
    site.configure(plugins=[narrowed | {"grant": {"commands": [["uname", "-s"]]}}])  # the other
    assert site.assess("run").returncode == 0


def test_a_consent_that_is_killed_was_given_or_was_not_and_two_at_once_are_one(site: Site) -> None:
    digest = synced(site)["waiting"]["digest"]
    argv = [str(word) for word in site.argv("plugins consent", "demo-plugin==1.1.0", "--to", digest)]
    killed = subprocess.Popen(argv, cwd=site.place.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    killed.send_signal(signal.SIGKILL)  # wherever it is by now: the sweep over every call is in tests/integration
    assert killed.wait() == -signal.SIGKILL
    assert synced(site)["action"] in ("waiting", "upgraded")
    both = [
        subprocess.Popen(argv, cwd=site.place.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = [(process.communicate(timeout=120), process.returncode) for process in both]
    assert [code for _, code in ends] == [0, 0], ends
    (listed,) = one_document(site.assess("plugins list", "--output", "json").stdout)["plugins"]
    assert [each["digest"] for each in listed["consents"]] == [digest]
    syncs = [
        subprocess.Popen(
            [str(word) for word in site.argv("sync")],
            cwd=site.place.path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in syncs:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert synced(site)["action"] == "present"

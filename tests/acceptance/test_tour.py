"""docs/tutorial.md, typed as it is written: from everybody's keys to a plugin that is refused, over file: and http.

A block fenced as `sh` is typed as a whole and ends at the first command that fails; `# exits N` at its end says with
what it ends, 0 if absent. What one block exports, and where it goes, holds for the next. The port alone is another one.
"""

import hashlib
import json
import re
import shlex
import socket
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assess_registry.dsse import parse_envelope
from assess_registry.keys import load_public_key
from tests.support.checkout import ROOT, Checkout

DOCUMENT = ROOT / "docs" / "tutorial.md"
PORT = "8765"
PROJECT, VERSION = "assess-host-baseline", "1.0.0"
WHEEL = "assess_host_baseline-1.0.0-py3-none-any.whl"
RUNTIMES = {"web-01": "file", "web-02": "http"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One block, typed."""

    text: str
    announced: int
    done: subprocess.CompletedProcess[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tour:
    """All of them, and what they left."""

    place: Path
    steps: tuple[Step, ...]

    def of(self, command: str, *, exits: int = 0) -> Step:
        """The one block with this command that ends so."""
        (found,) = [step for step in self.steps if command in step.text and step.announced == exits]
        return found

    def results(self, runtime: str) -> Any:
        return json.loads((self.place / runtime / "results.json").read_text())

    @property
    def release(self) -> Path:
        return self.place / "desk" / "registry" / "files" / PROJECT / VERSION


def blocks() -> list[tuple[str, int]]:
    """What is to be typed, and the exit code it announces."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL):
        announced = re.search(r"# exits (\d+)\n\Z", block)
        found.append((block, int(announced.group(1)) if announced else 0))
    return found


@pytest.fixture(scope="module")
def tour(ran: Checkout) -> Tour:
    """Everything typed, each block having ended as it says."""
    place, memory = ran.path.parent / "tour", ran.path.parent / "shell"
    memory.write_text(f"cd {shlex.quote(str(ran.path))}\n")
    port, steps = free_port(), []
    try:
        for text, announced in blocks():
            typed = text.replace(PORT, port)
            done = ran.run("bash", "-c", f". {memory}\nset -e\ntrap '{_remember(memory)}' EXIT\n{typed}")
            assert done.returncode == announced, f"{text}\n{done.stdout}{done.stderr}"
            assert "Traceback" not in done.stderr
            steps.append(Step(text=text, announced=announced, done=done))
    finally:
        ran.shell(f"kill $(cat {place / 'server' / 'pid'})")  # it is gone already, unless a block failed
    return Tour(place=place, steps=tuple(steps))


def _remember(memory: Path) -> str:
    """What a shell does when it ends, for the next one to go on where it was."""
    return f'code=$?; {{ export -p; echo "cd $(printf %q "$PWD")"; }} > {memory}; exit $code'


def free_port() -> str:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def test_the_tour_goes_all_the_way(tour: Tour) -> None:
    """Every station has its command, in this order."""
    text, at = "".join(step.text for step in tour.steps), 0
    for station in (
        "make run-local", "keys new", "assess-registry init", "root init", "sign import", "submit", "review approve",
        "publish", "assess sync", "assess run", "yank", "revoke", "assess sync",
    ):  # fmt: skip
        assert station in text[at:], station
        at = text.index(station, at)
    assert [step.announced for step in tour.steps].count(5) >= 10


def test_two_reviewers_and_nobody_else_approved_it(tour: Tour) -> None:
    signed_by = {key for key, _ in parse_envelope((tour.release / f"{WHEEL}.verdict.json").read_bytes()).signatures}
    keys = {name: load_public_key(tour.place / name / "reviewer" / f"{name}.pub") for name in ("rita", "ruben")}
    assert signed_by == {key.id for key in keys.values()}
    assert "approved-by: rita, ruben" in tour.of("assess-registry list").done.stdout


def test_until_both_had_approved_nothing_could_be_published(tour: Tour) -> None:
    early = [step for step in tour.steps if "publish $WHEEL $SIGN" in step.text and step.announced == 5]
    assert [re.findall(r"got: +(.+)", step.done.stderr) for step in early] == [["0: nobody"], ["1: rita"]]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_was_approved_is_what_ran(runtime: str, tour: Tour) -> None:
    published = hashlib.sha256((tour.place / "kept").read_bytes()).hexdigest()
    results = tour.results(runtime)["results"]
    assert len(results) >= 24
    for result in results:
        assert result["plugin"]["sha256"] == published
        assert result["registry"] not in ("development", "folder")
        assert result["stale"] is False


@pytest.mark.parametrize(("runtime", "scheme"), RUNTIMES.items())
def test_it_was_read_from_files_and_over_http(runtime: str, scheme: str, tour: Tour) -> None:
    assert f'url = "{scheme}:' in (tour.place / runtime / "assess.toml").read_text()


def test_the_web_server_changed_nothing(tour: Tour) -> None:
    done = tour.of("printf x >>", exits=5).done
    assert "refused  step 'length'" in done.stdout
    assert "refused at step 'length'" in done.stderr
    assert WHEEL in done.stderr


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("verb", ["sync", "run"])
def test_what_was_revoked_is_refused(verb: str, runtime: str, tour: Tour) -> None:
    done = tour.of(f"assess {verb} --config {runtime}/assess.toml  #", exits=5).done
    said = done.stdout + done.stderr
    assert "refused at step 'revoked'" in said
    assert "sends file names to strangers" in said
    assert "severity critical" in said


def test_the_next_version_is_installed_where_the_last_was_refused(tour: Tour) -> None:
    done = tour.of("publish $NEXT").done  # web-03, which has no version in its configuration
    assert re.search(rf"^{PROJECT} +\S+ +1\.0\.1$", done.stdout, re.MULTILINE)


def test_more_permissions_were_shown_and_had_to_be_meant(tour: Tour) -> None:
    refused = tour.of("review approve $NEXT", exits=5).done
    assert "refused at step 'permissions'" in refused.stderr
    assert "/etc/hostname" in refused.stderr
    assert "/etc/shadow" not in refused.stderr  # approved before: no growth


def test_the_operator_was_asked_as_well(tour: Tour) -> None:
    waits = tour.of("s/==1.0.0/==1.0.1/", exits=1).done
    assert "1.0.1 waits for consent, and nothing of it runs" in waits.stderr
    assert "read /etc/hostname" in waits.stderr
    consented = tour.of("assess plugins consent").done
    assert re.search(rf"^{PROJECT} +upgraded +1\.0\.1 +1\.0\.0$", consented.stdout, re.MULTILINE)


def test_development_is_one_command_and_is_not_taken_for_more(tour: Tour) -> None:
    assert "publish $WHEELS/$WHEEL --index mine" in tour.of("init mine --development").text
    results = tour.results("web-04")["results"]
    assert {result["registry"] for result in results} == {"development"}
    refused = tour.of("assess sync --config web-04/assess.toml  #", exits=5).done
    assert "refused at step 'development'" in refused.stdout + refused.stderr

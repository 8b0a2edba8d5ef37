"""Plugins that break every rule, published and installed like any other, beside one that does not.

All of them run in one `assess run`: each misbehaviour is an assessment of its own, and costs nobody else anything.
"""

import os
import pty
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Validate
from tests.acceptance.sites import DEMO, Site, make_site, one_document
from tests.support.checkout import ROOT, Checkout
from tests.support.wheels import DEMO_CHECKS, WheelBuilder, demo_manifest

MISBEHAVES = (ROOT / "tests/support/plugins/misbehaves.py").read_text()

EXPECTED = {
    "raises": ("error", "no such table"),
    "raises-exit": ("error", "SystemExit"),
    "raises-interrupt": ("error", "KeyboardInterrupt"),
    "exits": ("error", "exited with code 3"),
    "crashes": ("error", "SIGSEGV"),
    "hangs": ("timeout", "1 s"),
    "ignores-term": ("timeout", "1 s"),
    "floods-stdout": ("timeout", "1 s"),
    "returns-none": ("error", "None"),
    "returns-list": ("error", "list"),
    "unknown-id": ("error", "somebody-elses"),
    "twice": ("error", "twice"),
    "forged-evidence": ("error", "never-handed-over"),
}
"""Misbehaviour -> how its check ends, and what the reason says."""

HARMLESS = ("prints", "one-long-line", "well")
"""Their checks pass: what a plugin prints is no message."""

OMITTED = "well-but-not-reported"


@pytest.fixture(scope="module")
def site(ran: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = make_site(ran, tmp_path_factory.mktemp("misbehaving") / "site")
    checks = (*EXPECTED, *HARMLESS, OMITTED)
    bad = WheelBuilder(
        name="bad-plugin",
        files={"bad_plugin/__init__.py": MISBEHAVES},
        manifest=demo_manifest(checks, plugin="bad"),
        entry_points={"assess.plugins": {"bad": "bad_plugin"}},
    )
    site.publish(WheelBuilder(), bad)
    site.configure(plugins=["demo-plugin", "bad-plugin"], assessments=[DEMO, *assessments()])
    return site


def assessments() -> list[Mapping[str, Any]]:
    common = {"plugin": "bad", "provider": "demo-subjects"}
    hasty = [
        {"id": name, "checks": [name], **common} | ({"timeout_s": 1} if outcome == "timeout" else {})
        for name, (outcome, _) in EXPECTED.items()
    ]
    harmless = [{"id": name, "checks": [name], **common} for name in HARMLESS if name != "well"]
    return [*hasty, *harmless, {"id": "omits", "checks": ["well", OMITTED], **common}]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What one run of all of them said."""

    done: subprocess.CompletedProcess[str]
    document: Any
    oscal: str
    table: str

    def result(self, check: str) -> Any:
        (found,) = [result for result in self.document["results"] if result["check"] == check]
        return found


@pytest.fixture(scope="module")
def all_at_once(site: Site) -> Ran:
    oscal, table = site.directory / "oscal.json", site.directory / "table.txt"
    done = site.assess("run", "--output", "json", "--report", f"oscal={oscal}", "--report", f"table={table}")
    return Ran(done=done, document=one_document(done.stdout), oscal=oscal.read_text(), table=table.read_text())


def test_the_run_is_incomplete_and_says_so_in_every_form(all_at_once: Ran) -> None:
    assert all_at_once.done.returncode == all_at_once.document["run"]["exit"] == 4
    assert "Traceback" not in all_at_once.done.stderr
    assert "exit 4" in all_at_once.table
    checks = [result["check"] for result in all_at_once.document["results"]]
    assert sorted(checks) == sorted([*EXPECTED, *HARMLESS, OMITTED, *DEMO_CHECKS])


@pytest.mark.parametrize("check", EXPECTED)
def test_a_check_of_a_misbehaving_plugin_ends_with_the_reason(check: str, all_at_once: Ran) -> None:
    outcome, reason = EXPECTED[check]
    result = all_at_once.result(check)
    assert result["outcome"] == outcome, result["reason"]
    assert reason in result["reason"]
    assert check in all_at_once.table


@pytest.mark.parametrize("check", [*HARMLESS, *DEMO_CHECKS])
def test_everybody_else_has_results(check: str, all_at_once: Ran) -> None:
    assert all_at_once.result(check)["outcome"] == "pass"


def test_a_check_that_was_left_out_is_an_error(all_at_once: Ran) -> None:
    result = all_at_once.result(OMITTED)
    assert (result["outcome"], result["reason"]) == ("error", "not reported")


def test_auditors_get_a_valid_document_of_it(all_at_once: Ran, validate: Validate) -> None:
    code, said = validate("misbehaving", all_at_once.oscal)
    assert code == 0, said


def test_the_journal_has_what_was_shown(site: Site, all_at_once: Ran) -> None:
    ids = {run["run_id"] for run in all_at_once.document["run"]["assessments"]}
    listed = one_document(site.assess("results list", "--output", "json").stdout)
    kept = {run["run_id"]: run["counts"] for run in listed["runs"]}
    assert ids <= kept.keys()
    assert sum(sum(kept[run].values()) for run in ids) == len(all_at_once.document["results"])


def test_a_plugin_that_cannot_be_loaded_leaves_the_others_their_run(site: Site, tmp_path: Path) -> None:
    """Its assessments are a problem of the run, exit 4; it is not installed; the others have all results."""
    site = site.copy(tmp_path / "site")
    dies = WheelBuilder(
        name="dies-plugin",
        files={"dies_plugin/__init__.py": "import os\nos._exit(9)\n"},
        manifest=demo_manifest(("dying",), plugin="dies"),
        entry_points={"assess.plugins": {"dies": "dies_plugin"}},
    )
    site.publish(dies)
    dying = {"id": "dying", "plugin": "dies", "provider": "demo-subjects"}
    site.configure(plugins=["demo-plugin", "dies-plugin"], assessments=[DEMO, dying])
    done = site.assess("run", "--output", "json")
    document = one_document(done.stdout)
    assert done.returncode == document["run"]["exit"] == 4, done.stderr
    problems = {run["assessment"]: run["problem"] for run in document["run"]["assessments"]}
    assert problems["demo"] is None
    assert "exited with code 9" in problems["dying"]
    assert {result["check"]: result["outcome"] for result in document["results"]} == dict.fromkeys(DEMO_CHECKS, "pass")
    assert not list((site.state / "active").glob("dies-plugin*"))
    for again, action in (((), "held"), (("--retry",), "failed")):
        synced = site.assess("sync", *again, "--output", "json")
        assert synced.returncode == 1
        actions = {line["distribution"]: line["action"] for line in one_document(synced.stdout)["plugins"]}
        assert actions == {"demo-plugin": "present", "dies-plugin": action}
    site.configure()  # the control: the same place without it
    assert site.assess("run").returncode == 0


HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[1;31m\u202egnp\u2066x\r\nexit 0: complete\x00\x9b31m\u2028\u200b"
TALKS = f"""
import sys
from assess_plugin import *

HOSTILE = {HOSTILE!a}

class Plugin:
    @hookimpl
    def assess_execute(self, input):
        for level in ("info", "warning", "error"):
            input.host.log("said " + HOSTILE, level)
        input.host.progress(1, 2, "doing " + HOSTILE)
        print(HOSTILE, file=sys.stderr, flush=True)
        if "raising" in input.checks:
            raise ValueError("raised " + HOSTILE)
        said = dict(reason="because " + HOSTILE, expected="wanted " + HOSTILE, actual=HOSTILE)
        return ActionOutput(results=tuple(CheckResult(check_id=c, outcome=Outcome.FAIL, **said) for c in input.checks))

class Provider:
    @hookimpl
    def assess_evaluate(self, input):
        return EvaluateResult(subjects=(Subject(id="host:a", type="inventory-item", title="a" + HOSTILE),))

plugin, provider = Plugin(), Provider()
"""
_OURS = re.compile(r"\x1b\[\d+m|\r\x1b\[K|\r(?=\n)")
"""What we write to a terminal ourselves: colours, the progress line, and the line ends of a terminal."""


def test_hostile_text_reaches_neither_pipe_nor_terminal_as_it_is(ran: Checkout, tmp_path: Path) -> None:
    site = make_site(ran, tmp_path / "site")
    manifest = demo_manifest(("failing", "raising"))
    site.publish(WheelBuilder(files={"demo_plugin/__init__.py": TALKS}, manifest=manifest))
    site.configure(
        assessments=[DEMO | {"checks": ["failing"]}, DEMO | {"id": "raising", "checks": ["raising"]}],
    )
    run_id = ""
    for output in ("json", "table"):
        done = site.assess("run", "--output", output)
        assert done.returncode == 4, done.stderr
        assert_harmless(done.stdout)
        assert_harmless(done.stderr)
        assert "said" in done.stderr
        if output == "json":
            document = one_document(done.stdout)
            run_id = document["run"]["assessments"][0]["run_id"]
            assert {result["outcome"] for result in document["results"]} == {"fail", "error"}
            assert "\x1b" in document["results"][0]["reason"]  # kept, as an escape sequence of JSON
        else:
            assert "because" in done.stdout
            assert "raised" in done.stdout
    shown = site.assess("results show", run_id)
    assert shown.returncode == 0
    assert "because" in shown.stdout
    assert_harmless(shown.stdout)
    on_terminal = run_on_terminal(site, "run")
    assert "because" in on_terminal
    assert "\x1b[31m" in on_terminal  # it did see a terminal
    assert "doing" in on_terminal
    assert_harmless(_OURS.sub("", on_terminal))


def assert_harmless(text: str) -> None:
    assert text
    assert all(line.isprintable() for line in text.split("\n")), ascii(text)


def run_on_terminal(site: Site, verb: str) -> str:
    """What the command writes when stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    command = site.place.command(*site.argv(verb), environment={"TERM": "xterm"})
    with subprocess.Popen(command, cwd=site.place.path, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = bytearray()
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # EIO: nobody has the terminal open any more
                break
            said += data
        process.wait(timeout=60)
    os.close(ours)
    return said.decode()

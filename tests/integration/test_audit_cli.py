"""The audit as a maintainer types it: real tools, real wheels, and what a wheel does to talk its audit out of it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from assess_registry.audit import checks
from assess_registry.audit.checks import bandit, secrets
from assess_registry.audit.context import Check, Context
from assess_registry.audit.source import build_wheel
from assess_registry.audit.values import Examination, Subject
from assess_registry.cli import main
from assess_registry.keys import generate_key, write_private_key
from assess_registry.tools import ToolLimits, ToolRun, run_tool
from tests.support.ended import Ended
from tests.support.osv import about_others
from tests.support.remembered import Remembered
from tests.support.wheels import DEMO_SOURCE, WheelBuilder, demo_manifest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "contrib" / "sample_plugin"
AS_OF = "2026-11-21"
FRESH = ("--as-of", AS_OF)
DANGEROUS = "import subprocess\n\n\ndef run(text):\n    subprocess.run(text, shell=True)\n"
QUIET = "def run(text):\n    return text\n"

LICENSED = ("License-Expression: MIT",)


class Audited(Ended):
    """An audit that was typed."""

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        """By id; the last of each."""
        return {each["id"]: each for each in self.document["findings"]}


Run = Callable[..., Audited]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run one command line in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSESS_INDEX", raising=False)

    def command(*argv: object) -> Audited:
        code = main([str(word) for word in argv])
        return Audited(code, *capsys.readouterr())

    return command


def advisory(project: str = "some-other-project") -> dict[str, Any]:
    """An OSV document about every version of a project."""
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
    return {
        "schema_version": "1.7.0",
        "id": "TEST-2026-1000",
        "modified": "2026-11-20T00:00:00Z",
        "published": "2026-11-20T00:00:00Z",
        "summary": "Invented for tests",
        "affected": [{"package": {"ecosystem": "PyPI", "name": project}, "ranges": ranges}],
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    }


@pytest.fixture
def advisories(tmp_path: Path) -> Path:
    """An export of OSV that knows nothing of our projects."""
    path = tmp_path / "osv.json"
    path.write_text(json.dumps([advisory(), *about_others()]))
    return path


@pytest.fixture
def clean(advisories: Path) -> tuple[object, ...]:
    """Arguments under which a wheel is approved unless there is something about it."""
    return ("--advisories", advisories, *FRESH, "--output", "json")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample plugin's wheel."""
    scratch = tmp_path_factory.mktemp("sample")
    built = build_wheel(SAMPLE, scratch)
    return scratch / built.filename


def write(builder: WheelBuilder, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / builder.filename
    path.write_bytes(builder.build())
    return path


def plugin(files: Mapping[str, str | bytes] | None = None, **changes: Any) -> WheelBuilder:
    """The demo plugin with more files; on its own, nothing is to be said about it."""
    builder = WheelBuilder(**{"metadata_lines": LICENSED, **changes})
    return builder.but(files={f"{builder.module}/__init__.py": DEMO_SOURCE, **(files or {})})


def named(name: str, run: str) -> WheelBuilder:
    """The same under another name, with a module `run.py`."""
    module = name.replace("-", "_")
    points = {
        "assess.plugins": {"demo": f"{module}:plugin"},
        "assess.providers": {"demo-subjects": f"{module}:provider"},
    }
    return plugin({f"{module}/run.py": run}, name=name, entry_points=points)


def incomplete(ended: Audited) -> dict[str, list[str]]:
    return {each["name"]: each["incomplete"] for each in ended.document["checks"] if each["incomplete"]}


# --- verdicts and how they end ------------------------------------------------------------------------------------


def test_the_sample_plugin_is_approved_with_fresh_advisories_and_flagged_without(
    run: Run, sample: Path, advisories: Path
) -> None:
    approved = run("audit", sample, "--advisories", advisories, *FRESH, "--output", "json")
    assert (approved.code, approved.document["verdict"], approved.document["reasons"]) == (0, "approved", [])
    assert incomplete(approved) == {}
    flagged = run("audit", sample, *FRESH, "--output", "json")
    assert (flagged.code, flagged.document["verdict"]) == (4, "flagged")
    assert list(incomplete(flagged)) == ["vulnerabilities"]
    stale = run("audit", sample, "--advisories", advisories, "--as-of", "2027-01-15", "--output", "json")
    assert (stale.code, list(incomplete(stale))) == (4, ["vulnerabilities"])


def test_the_sample_plugin_is_approved_as_a_source_tree_too(
    run: Run, sample: Path, clean: Sequence[object], remembered: Remembered
) -> None:
    ended = run("audit", SAMPLE, *clean)
    remembered.forget()
    assert (ended.code, ended.stdout) == (0, run("audit", sample, *clean).stdout)


def test_a_source_tree_is_not_changed_by_its_audit(
    run: Run, tmp_path: Path, clean: Sequence[object], remembered: Remembered
) -> None:
    remembered.forget()
    tree = tmp_path / "tree"
    shutil.copytree(SAMPLE, tree, ignore=shutil.ignore_patterns("__pycache__", ".*cache"))
    before = {str(path): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert run("audit", tree, *clean).code == 0
    assert {str(path): path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


def test_the_control_of_all_that_follows_is_approved(run: Run, tmp_path: Path, clean: Sequence[object]) -> None:
    ended = run("audit", write(plugin({"demo_plugin/run.py": QUIET}), tmp_path), *clean)
    assert (ended.code, ended.document["reasons"]) == (0, [])


def test_a_wheel_that_inspection_refuses_is_rejected(run: Run, tmp_path: Path, clean: Sequence[object]) -> None:
    ended = run("audit", write(plugin(record=lambda rows: rows[1:]), tmp_path), *clean)
    assert (ended.code, ended.document["verdict"]) == (5, "rejected")
    assert len(incomplete(ended)) == len(checks.CHECKS) + 2


def test_an_advisory_rejects_the_project_it_is_about(
    run: Run, sample: Path, advisories: Path, clean: Sequence[object]
) -> None:
    assert run("audit", sample, *clean).code == 0
    advisories.write_text(json.dumps([advisory("assess-host-baseline"), *about_others()]))
    ended = run("audit", sample, *clean)
    assert (ended.code, ended.findings["known-vulnerability"]["verdict"]) == (5, "rejected")


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (("nowhere.whl",), 2, "nowhere.whl: cannot be read: No such file or directory"),
        ((), 2, "Missing argument 'WHEEL_OR_DIR'"),
        (("x.whl", "--index", "nowhere"), 2, "no registry here"),
        (("x.whl", "--report", "pdf=x"), 2, "expected FORM=FILE with one of table, json, sarif, html"),
        (("x.whl", "--policy", "nowhere.toml"), 2, "the policy cannot be read"),
        (("x.whl", "--as-of", "yesterday"), 2, "yesterday"),
        (("x.whl", "--advisories", "nowhere.zip"), 2, "nowhere.zip: cannot be read"),
        (("x.whl", "--evidence", "nowhere.json"), 2, "nowhere.json: cannot be read"),
        (("x.whl", "--closure", "nowhere"), 2, "the closure's wheels cannot be read"),
        (("--dry-run",), 2, "name it with --policy FILE"),
        (("--dry-run", "--policy", "p.toml"), 2, "nothing published to look at"),
        (("--dry-run", "--policy", "p.toml", "x.whl"), 2, "leave out WHEEL_OR_DIR and all about a single wheel"),
        (("--dry-run", "--policy", "p.toml", "--output", "sarif"), 2, "prints a table or json"),
    ],
)
def test_what_cannot_be_done_is_said(argv: tuple[str, ...], code: int, says: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"")
    (tmp_path / "p.toml").write_text("[policy]\n")
    ended = run("audit", *argv)
    assert (ended.code, says in ended.stderr) == (code, True), ended.stderr


def test_an_acceptance_of_a_check_that_does_not_exist_is_refused(run: Run, sample: Path, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(ACCEPT.format(what='check = "bandti"', expires="2027-01-01"))
    ended = run("audit", sample, "--policy", "p.toml")
    assert ended.code == 2
    assert "p.toml: policy.accept[0].check: no check 'bandti'; did you mean 'bandit'?" in ended.stderr


@pytest.mark.parametrize("what", ['check = "vulnerabilities"', 'finding = "bandit-*"'])
def test_an_acceptance_for_longer_than_a_year_is_refused(what: str, run: Run, sample: Path, tmp_path: Path) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text(ACCEPT.format(what=what, expires="2027-11-22"))
    assert run("audit", sample, "--policy", policy, *FRESH).code in (0, 4)
    policy.write_text(ACCEPT.format(what=what, expires="2027-11-23"))
    ended = run("audit", sample, "--policy", policy, *FRESH)
    assert (ended.code, ended.stdout) == (2, "")
    says = "policy.accept[0].expires: 2027-11-23 is too far: as of 2026-11-21 it may last until 2027-11-22 at most"
    assert f"{policy}: {says}" in ended.stderr


# --- whose policy -------------------------------------------------------------------------------------------------

LAX = '[registry]\nname = "lax"\n[policy]\nreject = []\nflag = ["critical", "high", "medium"]\n'


def policy_line(ended: Audited) -> str:
    return next(line for line in ended.stderr.splitlines() if line.startswith("policy: "))


def test_by_whose_policy_a_wheel_was_judged_is_said_with_the_digest_in_the_report(
    run: Run, tmp_path: Path, clean: Sequence[object]
) -> None:
    wheel = write(plugin({"demo_plugin/run.py": DANGEROUS}), tmp_path / "dist")
    (tmp_path / "other").mkdir()
    for name in ("other/registry.toml", "p.toml"):
        (tmp_path / name).write_text(LAX)
    default = run("audit", wheel, *clean)
    named = run("audit", wheel, *clean, "--index", "other")
    by_file = run("audit", wheel, *clean, "--policy", "p.toml")
    (tmp_path / "other").rename(tmp_path / "simple-index")
    found = run("audit", wheel, *clean)
    assert [each.code for each in (default, named, by_file, found)] == [5, 4, 4, 4]
    wheres = (
        "the default",
        f"{tmp_path}/other/registry.toml",
        f"{tmp_path}/p.toml",
        f"{tmp_path}/simple-index/registry.toml",
    )
    for ended, where in zip((default, named, by_file, found), wheres, strict=True):
        assert policy_line(ended) == f"policy: {where}, sha256:{ended.document['policy']['sha256']}"
    assert f"index: {tmp_path}/simple-index, found in the current directory" in found.stderr
    assert "index: " not in default.stderr + named.stderr


@pytest.mark.parametrize(("pythons", "code"), [("3.12", 0), ("3.9", 4)])
@pytest.mark.parametrize("option", ["--index", "--policy"])
def test_a_wheel_is_judged_for_where_the_registry_says_plugins_run(
    option: str, pythons: str, code: int, run: Run, sample: Path, clean: Sequence[object], tmp_path: Path
) -> None:
    (tmp_path / "reg").mkdir()
    configuration = tmp_path / "reg" / "registry.toml"
    configuration.write_text(f'[registry]\nname = "a"\n[policy]\n[targets]\npythons = ["{pythons}"]\n')
    ended = run("audit", sample, *clean, option, tmp_path / "reg" if option == "--index" else configuration)
    assert (ended.code, "closure-fits-no-target" in ended.findings) == (code, code == 4)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source tree that brings a registry with a policy of its own, and stands where the command is run."""
    tree = tmp_path / "tree"
    shutil.copytree(SAMPLE, tree, ignore=shutil.ignore_patterns("__pycache__", ".*cache"))
    (tree / "simple-index").mkdir()
    (tree / "simple-index" / "registry.toml").write_text(LAX)
    monkeypatch.chdir(tree)
    return tree


def test_a_source_tree_does_not_bring_its_own_policy(run: Run, tree: Path, clean: Sequence[object]) -> None:
    ended = run("audit", ".", *clean)
    assert policy_line(ended).startswith("policy: the default, ")
    assert (
        "warning: simple-index lies in ., which is audited, so its policy and advisories are not used" in ended.stderr
    )
    assert policy_line(run("audit", ".", *clean, "--index", "simple-index")).startswith(f"policy: {tree}/simple-index/")


def test_a_tree_beside_the_registry_is_audited_by_it(
    run: Run, tree: Path, clean: Sequence[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "simple-index").rename(tree.parent / "simple-index")
    monkeypatch.chdir(tree.parent)
    assert policy_line(run("audit", "tree", *clean)).startswith(f"policy: {tree.parent}/simple-index/registry.toml, ")


@pytest.mark.parametrize("link", ["directory", "file"])
def test_a_link_in_the_tree_is_the_trees_too(link: str, run: Run, tree: Path, clean: Sequence[object]) -> None:
    elsewhere = tree.parent / "elsewhere"
    (tree / "simple-index").rename(elsewhere)
    if link == "directory":
        (tree / "simple-index").symlink_to(elsewhere)
    else:
        (tree / "simple-index").mkdir()
        (tree / "simple-index" / "registry.toml").symlink_to(elsewhere / "registry.toml")
    assert policy_line(run("audit", ".", *clean)).startswith("policy: the default, ")
    assert policy_line(run("audit", ".", *clean, "--index", elsewhere)).startswith(f"policy: {elsewhere}/")


def test_dependencies_do_not_bring_the_policy_either(
    run: Run, sample: Path, clean: Sequence[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closure" / "simple-index").mkdir(parents=True)
    (tmp_path / "closure" / "simple-index" / "registry.toml").write_text(LAX)
    monkeypatch.chdir(tmp_path / "closure")
    assert policy_line(run("audit", sample, *clean, "--closure", ".")).startswith("policy: the default, ")
    assert policy_line(run("audit", sample, *clean)).startswith(f"policy: {tmp_path}/closure/simple-index/")


# --- the report ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["table", "json", "sarif", "html"])
def test_the_same_input_gives_the_same_bytes_wherever_it_lies(
    form: str,
    run: Run,
    sample: Path,
    advisories: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    remembered: Remembered,
) -> None:
    said = []
    for place in ("here", "there"):
        remembered.elsewhere(place)  # of each form: both were asked, each in its place
        scratch = tmp_path / place / "scratch"
        scratch.mkdir(parents=True)
        monkeypatch.setattr("tempfile.tempdir", str(scratch))
        wheel = shutil.copy(sample, tmp_path / place)
        report = tmp_path / place / "report"
        ended = run(
            "audit", wheel, "--advisories", advisories, *FRESH, "--output", form, "--report", f"{form}={report}"
        )
        assert ended.code == 0
        said.append((ended.stdout, report.read_text()))
        assert list(scratch.iterdir()) == []
    assert said[0] == said[1]
    assert str(tmp_path) not in "".join(said[0])


def test_every_form_is_written_where_it_was_asked_for(
    run: Run, sample: Path, clean: Sequence[object], tmp_path: Path
) -> None:
    wanted = {"sarif": tmp_path / "a.sarif", "html": tmp_path / "a.html", "json": tmp_path / "a.json"}
    reports = [word for form, path in wanted.items() for word in ("--report", f"{form}={path}")]
    ended = run("audit", sample, *clean, *reports)
    assert wanted["json"].read_text() == ended.stdout
    assert json.loads(wanted["sarif"].read_text())["version"] == "2.1.0"
    assert wanted["html"].read_text().startswith("<!doctype html>")


def test_what_the_checks_made_is_handed_out_and_the_same_each_time(
    run: Run, sample: Path, clean: Sequence[object], tmp_path: Path, remembered: Remembered
) -> None:
    for place in ("one", "two"):
        remembered.forget()
        assert run("audit", sample, *clean, "--attachments", tmp_path / place).code == 0
    made = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert json.loads(made["sbom-sbom.cdx.json"])["bomFormat"] == "CycloneDX"
    assert {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()} == made


def test_evidence_of_toxs_is_summarised_and_nonsense_is_flagged(
    run: Run, sample: Path, clean: Sequence[object], tmp_path: Path
) -> None:
    evidence = tmp_path / "tox.json"
    evidence.write_text("nonsense")
    ended = run("audit", sample, *clean, "--evidence", evidence)
    assert (ended.code, list(incomplete(ended))) == (4, ["compatibility"])
    assert run("audit", sample, *clean).findings["compatibility-unknown"]["verdict"] == "approved"


# --- tools that do not do their work ------------------------------------------------------------------------------


def with_tool(check: Check, tool: Callable[..., ToolRun]) -> Check:
    """The check with another way to run its tool."""

    class Changed:
        NAME = check.NAME

        def examine(self, subject: Subject, context: Context) -> Examination:
            given = {name: getattr(context, name) for name in Context.__dataclass_fields__ if name != "run_tool"}
            return check.examine(subject, Context(**given, run_tool=tool))

    return Changed()


def killed(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
    """The tool, killed by the kernel in the middle of its work."""
    code = "import os, sys; print('{\"results\": [', flush=True); os.kill(os.getpid(), 9)"
    return run_tool([argv[0], "-I", "-S", "-c", code], cwd=cwd, limits=limits)


def missing(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
    return run_tool(["/nonexistent/tool"], cwd=cwd, limits=limits)


@pytest.mark.parametrize("check", [bandit, secrets], ids=lambda check: check.NAME)
@pytest.mark.parametrize(("tool", "says"), [(killed, "killed by SIGKILL"), (missing, "could not be started")])
def test_killing_a_tool_half_way_flags_the_wheel_and_names_it(
    check: Check,
    tool: Callable[..., ToolRun],
    says: str,
    run: Run,
    tmp_path: Path,
    clean: Sequence[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = tuple(with_tool(each, tool) if each is check else each for each in checks.CHECKS)
    wheel = write(plugin({"demo_plugin/run.py": QUIET}), tmp_path)
    assert run("audit", wheel, *clean).code == 0
    monkeypatch.setattr("assess_registry.audit.pipeline.examine.__kwdefaults__", {"scratch": None, "checks": changed})
    ended = run("audit", wheel, *clean)
    assert (ended.code, ended.document["verdict"]) == (4, "flagged")
    assert says in incomplete(ended)[check.NAME][0]


def test_a_command_that_is_interrupted_leaves_nothing_running_and_nothing_behind(
    sample: Path, advisories: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = (
        "import signal, sys, threading\n"
        "from assess_registry import tools\n"
        "from assess_registry.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored, where CI runs in the background
        "real = tools._limit\n"
        "def interrupted(pid, limits):\n"
        "    real(pid, limits); print(pid, flush=True); signal.raise_signal(signal.SIGINT)\n"
        "tools._limit = interrupted\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    argv = [sys.executable, "-c", code, "audit", str(sample), "--advisories", str(advisories)]
    done = subprocess.run(
        argv, env={**os.environ, "TMPDIR": str(scratch)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130, done.stderr
    assert not Path("/proc", done.stdout.split()[0]).exists()
    assert list(scratch.iterdir()) == []


# --- what a wheel does to be let through --------------------------------------------------------------------------

SILENCERS: Mapping[str, Mapping[str, str]] = {
    "nosec": {"demo_plugin/run.py": DANGEROUS.replace("shell=True)", "shell=True)  # nosec B602,B603,B404")},
    "pyproject": {"demo_plugin/pyproject.toml": '[tool.bandit]\nskips = ["B602"]\nexclude_dirs = ["demo_plugin"]\n'},
    "dot-bandit": {"demo_plugin/.bandit": "[bandit]\nskips: B602\nexclude: /demo_plugin\n"},
    "setup-cfg": {"demo_plugin/setup.cfg": "[bandit]\nskips = B602\n"},
    "secrets-baseline": {"demo_plugin/.secrets.baseline": "{}"},
    "module": {"demo_plugin/bandit/__init__.py": "raise SystemExit(0)\n"},
}


@pytest.mark.parametrize("name", SILENCERS)
def test_nothing_in_a_wheel_silences_its_audit(name: str, run: Run, tmp_path: Path, clean: Sequence[object]) -> None:
    loud = write(plugin({"demo_plugin/run.py": DANGEROUS}), tmp_path / "loud")
    quiet = write(plugin({"demo_plugin/run.py": DANGEROUS, **SILENCERS[name]}), tmp_path / "silencer")
    expected, ended = run("audit", loud, *clean), run("audit", quiet, *clean)
    wanted = {(each["id"], each["line"]) for each in expected.document["findings"] if "run.py" in each["entry"]}
    found = {(each["id"], each["line"]) for each in ended.document["findings"] if "run.py" in each["entry"]}
    assert ("bandit-b602", 5) in wanted
    assert found == wanted
    assert ended.code == expected.code == 5


ACCEPT = (
    '[policy]\n[[policy.accept]]\n{what}\nreason = "reviewed"\nowner = "security@example.org"\nexpires = {expires}\n'
)


def test_an_acceptance_holds_until_its_day_and_is_then_reported(run: Run, tmp_path: Path, sample: Path) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text(ACCEPT.format(what='check = "vulnerabilities"', expires=AS_OF))
    arguments = ("audit", sample, "--policy", policy, "--output", "json", "--as-of")
    assert run(*arguments, AS_OF).code == 0
    late = run(*arguments, "2026-11-22")
    assert late.code == 4
    assert "only until 2026-11-21, by security@example.org: reviewed" in late.document["reasons"][0]


# --- permissions used against permissions declared ----------------------------------------------------------------

UNDECLARED = {
    "socket": ("import socket\n\n\ndef ask():\n    return socket.create_connection(('example.org', 80))\n", "network"),
    "command": ("def ask(host):\n    return host.run(['id', '-u'])\n", "commands"),
    "check": (
        "from assess_plugin import CheckResult\n\n\ndef ask():\n    return CheckResult(check_id='demo-unheard-of')\n",
        "demo-unheard-of",
    ),
}


@pytest.mark.parametrize("what", UNDECLARED)
def test_what_the_manifest_does_not_declare_is_not_approved_and_the_report_says_what_would_declare_it(
    what: str, run: Run, tmp_path: Path, clean: Sequence[object]
) -> None:
    source, declares = UNDECLARED[what]
    ended = run("audit", write(plugin({"demo_plugin/ask.py": source}), tmp_path), *clean)
    assert ended.code in (4, 5)
    found = [each for each in ended.document["findings"] if each["entry"] == "demo_plugin/ask.py"]
    told = [each for each in found if each["verdict"] != "approved" and declares in each["advice"]]
    line = next(number for number, text in enumerate(source.splitlines(), start=1) if "return " in text)
    assert line in {each["line"] for each in told}, found


def test_a_declared_command_and_check_are_approved(run: Run, tmp_path: Path, clean: Sequence[object]) -> None:
    declared = demo_manifest(
        ("demo-greeting", "demo-kernel", "demo-unheard-of"),
        permissions='commands = [["uname", "-s"], ["id", "-u"]]\n',
    )
    files = {f"demo_plugin/{name}.py": UNDECLARED[name][0] for name in ("command", "check")}
    assert run("audit", write(plugin(files, manifest=declared), tmp_path), *clean).code == 0


# --- an index -----------------------------------------------------------------------------------------------------


@pytest.fixture
def index(run: Run, tmp_path: Path) -> Path:
    """A registry in which three plugins are published, one of which uses a shell."""
    assert run("init", "reg").code == 0
    (tmp_path / "key").mkdir()
    write_private_key(tmp_path / "key" / "p.key", generate_key())
    write(WheelBuilder.dependency("assess-plugin", "1.0.0"), tmp_path / "dist")
    for name, text in {"acme-quiet": QUIET, "acme-loud": DANGEROUS, "zeta-quiet": QUIET}.items():
        wheel = write(named(name, text), tmp_path / "dist")
        argv = ("--key", "key/p.key", "--closure", "dist", "--index", "reg")
        assert run("publish", wheel, *argv).code == 0
    return tmp_path / "reg"


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_dry_run_shows_what_a_policy_would_change_and_changes_nothing(
    run: Run, index: Path, advisories: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "new.toml"
    policy.write_text('[publishers.zeta]\nprojects = ["zeta-*"]\n[policy]\nflag = ["medium"]\n')
    before = files_of(index)
    argv = ("audit", "--dry-run", "--policy", policy, "--index", index, "--advisories", advisories, *FRESH)
    ended = run(*argv, "--output", "json")
    assert ended.code == 0
    told = ended.document["dry_run"]
    assert [(each["project"], each["current"]["verdict"], each["other"]["verdict"]) for each in told["wheels"]] == [
        ("acme-quiet", "approved", "flagged"),
        ("acme-loud", "rejected", "rejected"),
        ("zeta-quiet", "approved", "approved"),
    ]
    assert told["differing"] == 1
    assert told["current_policy"] != told["other_policy"]
    assert "no publisher's patterns admit" in told["wheels"][0]["other"]["reasons"][0]
    table = run(*argv)
    assert "1 of 3 published wheels would have another verdict" in table.stderr
    assert table.stdout.splitlines()[1].split()[:3] == ["acme_quiet-1.0.0-py3-none-any.whl", "approved", "flagged"]
    assert files_of(index) == before


def test_a_dry_run_with_the_policy_that_holds_changes_no_verdict(run: Run, index: Path, advisories: Path) -> None:
    policy = index / "registry.toml"
    policy.write_text(policy.read_text() + "\n[policy]\n")
    argv = ("--dry-run", "--policy", policy, "--index", index, "--advisories", advisories, *FRESH)
    told = run("audit", *argv, "--output", "json").document["dry_run"]
    assert (told["differing"], len(told["wheels"])) == (0, 3)
    assert told["current_policy"] == told["other_policy"]


def test_the_policy_and_the_names_of_an_index_count(run: Run, index: Path, advisories: Path, tmp_path: Path) -> None:
    argv = (
        "audit",
        write(named("acme-qulet", QUIET), tmp_path),
        "--advisories",
        advisories,
        *FRESH,
        "--output",
        "json",
    )
    assert run(*argv).code == 0
    ended = run(*argv, "--index", index)
    objections = [each["id"] for each in ended.document["findings"] if each["verdict"] != "approved"]
    assert (ended.code, objections) == (5, ["confusable-name"])
    configuration = index / "registry.toml"
    configuration.write_text(configuration.read_text() + '\n[policy]\nflag = ["medium", "confusable-*"]\n')
    assert run(*argv, "--index", index).code == 4


def test_imported_advisories_are_those_of_every_audit_of_the_index(
    run: Run, index: Path, sample: Path, advisories: Path
) -> None:
    argv = ("audit", sample, "--index", index, *FRESH, "--output", "json")
    assert run(*argv).code == 4
    assert run("advisories", "status", "--index", index).code == 2
    done = run("advisories", "import", advisories, "--index", index, "--output", "json")
    assert (done.code, done.document["advisories"]["count"]) == (0, 1001)
    assert run(*argv).code == 0
    assert run(*argv, "--advisories", index / "advisories.jsonl").code == 0
    (index / "advisories.jsonl").write_text("{}")
    assert run(*argv).code == 2


def test_an_export_that_is_refused_leaves_what_was_imported(run: Run, index: Path, advisories: Path) -> None:
    assert run("advisories", "import", advisories, "--index", index).code == 0
    before = files_of(index)
    advisories.write_text("[]")
    assert run("advisories", "import", advisories, "--index", index).code == 2
    assert files_of(index) == before


def test_the_status_says_when_advisories_are_too_old(run: Run, index: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.zip"
    with zipfile.ZipFile(old, "w") as archive:
        archive.writestr("A.json", json.dumps({**advisory(), "modified": "2020-01-01T00:00:00Z"}))
    assert run("advisories", "import", old, "--index", index).code == 0
    ended = run("advisories", "status", "--index", index, "--output", "json")
    assert (ended.code, ended.document["advisories"]["fresh"]) == (4, False)
    assert "too old" in run("advisories", "status", "--index", index).stdout
    configuration = index / "registry.toml"
    document = tomlkit.parse(configuration.read_text())
    document.setdefault("policy", {})["advisories_max_age_days"] = 3650
    configuration.write_text(document.as_string())
    few = run("advisories", "status", "--index", index, "--output", "json")
    assert (few.code, few.document["advisories"]["fresh"], few.document["advisories"]["whole"]) == (4, True, False)

"""`assess-registry new`, and that what it makes is green and approved before anybody has touched it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assess_registry.audit.context import Context
from assess_registry.cli.app import main
from assess_registry.scaffolding import scaffold
from assess_registry.scaffolding.contents import KINDS, Kind, project_files
from assess_registry.scaffolding.naming import parse_new_name
from tests.support.kills import steps
from tests.support.osv import about_others

both = pytest.mark.parametrize("kind", KINDS)


@both
def test_it_says_what_there_is_now(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: Kind) -> None:
    assert main(["new", "demo", "--kind", kind, "--to", str(tmp_path), "--output", "json"]) == 0
    said = json.loads(capsys.readouterr().out)["new"]
    files = sorted(path.relative_to(tmp_path / "demo").as_posix() for path in (tmp_path / "demo").rglob("*")
                   if path.is_file())  # fmt: skip
    assert said == {
        "project": "demo",
        "module": "demo",
        "kind": kind,
        "directory": str(tmp_path / "demo"),
        "files": sorted(files),
    }


def test_at_a_terminal_it_says_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "demo"]) == 0
    assert "next       read its README.md, then: tox" in capsys.readouterr().out
    assert (tmp_path / "demo" / "tox.ini").is_file()


@pytest.mark.parametrize("name", ["../demo", "Demo", "assess-plugin", "demo"])
def test_what_is_refused_is_one_document_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "demo").mkdir()
    assert main(["new", name, "--to", str(tmp_path), "--output", "json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["kind"], error["exit"]) == ("configuration", 2)
    assert [path.name for path in tmp_path.rglob("*")] == ["demo"]


@both
def test_its_own_tests_pass(tmp_path: Path, kind: Kind) -> None:
    """With the SDK at hand; tests/acceptance/test_plugin_authors.py does it with tox and every plugin API."""
    assert main(["new", "demo", "--kind", kind, "--to", str(tmp_path)]) == 0
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "demo",
        env={"PYTHONPATH": "src", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split(" passed")[0].split()[-1]) >= 10


@both
def test_its_own_audit_approves_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: Kind) -> None:
    assert main(["new", "demo", "--kind", kind, "--to", str(tmp_path)]) == 0
    export = tmp_path / "export.json"
    export.write_text(json.dumps(about_others()))
    capsys.readouterr()
    code = main(["audit", str(tmp_path / "demo"), "--advisories", str(export), "--output", "json"])
    report = json.loads(capsys.readouterr().out)
    assert (code, report["verdict"], report["reasons"]) == (0, "approved", [])
    assert {finding["id"] for finding in report["findings"]} <= {"compatibility-unknown"}


@both
def test_killed_anywhere_there_is_all_of_it_or_nothing(tmp_path: Path, kind: Kind) -> None:
    """And whoever types it again has it."""
    whole = project_files(parse_new_name("demo", Context()), kind)
    killed = 0
    for _ in steps(lambda: scaffold("demo", kind=kind, to=tmp_path), lambda: _remove(tmp_path), every=3):
        killed += 1
        if (tmp_path / "demo").exists():
            assert _files(tmp_path / "demo") == whole
        else:
            assert _files(scaffold("demo", kind=kind, to=tmp_path).directory) == whole
    assert killed > 10


def _files(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def _remove(directory: Path) -> None:
    for path in directory.iterdir():
        shutil.rmtree(path)

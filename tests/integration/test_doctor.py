"""`assess doctor` says what is so, and exits 1 exactly when plugins would not run as configured."""

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assess_core.cli.app import main
from assess_core.host import body
from assess_core.runtime import Runtime
from tests.integration.test_runtime import PLUGIN, configured, sync
from tests.support.checkout import ROOT
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import demo_plugin_wheel

WITHOUT_LANDLOCK = """
import sys
from tests.integration.programs.lone_host import hide_landlock
from assess_core.cli.app import main
hide_landlock()
sys.exit(main(sys.argv[1:]))
"""
"""The command on a kernel that has no Landlock."""


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return make_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel("1.0.0")])


def arguments(tree: RegistryTree, tmp_path: Path, *, runtime: str = "", plugins: str = PLUGIN) -> list[str]:
    config = tmp_path / "assess.toml"
    config.write_text(
        f'[runtime]\nid = "web-01"\n{runtime}\n[registry]\nurl = "{tree.root.as_uri()}"\n'
        f'root = "{tree.root_metadata}"\n'
        f"development = true\n{plugins}\n"
    )
    return ["doctor", "--config", str(config), "--state-dir", str(tmp_path / "state"), "--output", "json"]


def said(text: str) -> tuple[dict[str, list[tuple[str, str]]], int]:
    """Topic -> states and texts; and the exit code that the document names."""
    document = json.loads(text)
    lines: dict[str, list[tuple[str, str]]] = {}
    for line in document["lines"]:
        lines.setdefault(line["topic"], []).append((line["state"], line["text"]))
    return lines, document["exit"]


def doctor(capsys: pytest.CaptureFixture[str], given: list[str]) -> tuple[dict[str, list[tuple[str, str]]], int]:
    code = main(given)
    lines, exit_code = said(capsys.readouterr().out)
    assert exit_code == code
    return lines, code


def test_all_is_well_once_the_plugins_are_installed(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(tree, tmp_path)
    lines, code = doctor(capsys, given)
    assert (lines["demo-plugin"], code) == ([("fail", "is not installed")], 1)
    sync(configured(tree, tmp_path), tmp_path / "state")
    lines, code = doctor(capsys, given)
    assert code == 0
    assert lines["demo-plugin"] == [
        ("ok", f"1.0.0 starts and loads under Python {platform.python_version()}, of a development registry")
    ]
    assert lines["isolation"] == [("ok", "full, seen from inside and outside a worker")]
    assert [state for state, _ in lines["registry"]] == ["warn", "ok", *["ok"] * 5]
    assert "Landlock ABI" in lines["kernel"][0][1]
    assert "relaxed" not in lines
    assert not list((tmp_path / "state" / "scratch").glob("*/*")), "nothing of the trial is left"


def test_a_plugin_that_does_not_start_is_a_problem(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = arguments(tree, tmp_path)
    sync(configured(tree, tmp_path), tmp_path / "state")

    def refuse(_runtime: Runtime, _plugin: Any) -> tuple[str, ...]:
        return ("plugins[0].grant.read: not granted",)

    monkeypatch.setattr(Runtime, "try_start", refuse)
    lines, code = doctor(capsys, given)
    assert (lines["demo-plugin"], code) == ([("fail", "plugins[0].grant.read: not granted")], 1)


@pytest.mark.parametrize(
    ("runtime", "state", "code"),
    [
        ("", "fail", 1),
        ('require_isolation = "none"', "warn", 0),
        ("run_plugins_without_isolation = true", "warn", 0),
    ],
)
def test_without_landlock_it_depends_on_what_is_required(
    tree: RegistryTree, tmp_path: Path, runtime: str, state: str, code: int
) -> None:
    given = arguments(tree, tmp_path, runtime=runtime, plugins="")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK, *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines, exit_code = said(done.stdout)
    assert done.returncode == exit_code == code
    ((found, text),) = lines["isolation"]
    assert found == state
    assert text.startswith("none: it cannot be isolated: the kernel has no Landlock")
    assert ("relaxed" in lines) is bool(runtime)


def test_on_a_machine_nobody_wrote_down_it_says_so(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "HAS_TABLE", False)
    lines, code = doctor(capsys, arguments(tree, tmp_path, plugins=""))
    assert (lines["isolation"][0][0], code) == ("fail", 1)


def test_for_people_it_is_a_line_each(tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(tree, tmp_path, runtime="run_plugins_without_isolation = true", plugins="")[:-2]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "warn isolation: switched off, and there are the means for it" in lines
    assert "     -> remove runtime.run_plugins_without_isolation" in lines
    assert "warn relaxed: runtime.run_plugins_without_isolation = true" in lines

"""The verbs of `assess plugins` that change which version serves: what they print, in both forms, and how they exit."""

import json
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_core.cli import main
from assess_core.store import running_interpreter
from assess_registry.client import parse_project
from assess_registry.publish.after import revoke
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import demo_plugin_wheel

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return copy_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel("1.0.0")])


@pytest.fixture
def run(tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`assess ARGUMENTS` on a place with 1.0.0 and then 1.1.0 installed."""

    def configure(plugins: str) -> Path:
        path = tmp_path / "assess.toml"
        path.write_text(
            f'[runtime]\nid = "web-01"\n[registry]\nurl = "{tree.root.as_uri()}"\nroot = "{tree.root_metadata}"\n'
            f"development = true\n{plugins}"
        )
        return path

    def typed(*arguments: str, plugins: str = '[[plugins]]\nname = "demo-plugin"\n') -> tuple[int, str, str]:
        code = main([*arguments, "--config", str(configure(plugins)), "--state-dir", str(tmp_path / "state")])
        said = capsys.readouterr()
        return code, said.out, said.err

    assert typed("sync")[0] == 0
    tree.publish(*demo_plugin_wheel("1.1.0"))
    assert typed("sync")[0] == 0
    return typed


def told(run: Run, *arguments: str, **more: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(*arguments, "--output", "json", **more)
    document: dict[str, Any] = json.loads(out)
    return code, document


def test_a_version_through_all_that_can_become_of_it(run: Run) -> None:
    code, out, _ = run("plugins", "list")
    assert code == 0
    assert "active" in out
    code, document = told(run, "plugins", "list", "--all")
    assert {each["version"]: each["states"] for each in document["plugins"]} == {
        "1.1.0": ["active"],
        "1.0.0": ["previous"],
    }

    here = {"path": str(running_interpreter().path), "version": platform.python_version()}
    assert [each["python"] for each in document["plugins"]] == [here, here]
    assert f" {here['version']} " in run("plugins", "list")[1]
    assert here["path"] in run("plugins", "show", "demo-plugin")[1]

    code, document = told(run, "plugins", "rollback", "demo-plugin")
    assert (code, document["version"], document["previous"]) == (0, "1.0.0", "1.1.0")
    assert (document["python"], document["previous_python"]) == (here, here)
    under = f"under Python {here['version']}"
    said = run("plugins", "rollback", "demo-plugin")[1]
    assert said == f"demo-plugin: 1.1.0 {under} serves again, in place of 1.0.0 {under}\n"
    assert run("plugins", "rollback", "demo-plugin")[0] == 0
    assert document["pin"]["why"] == "rollback"
    assert told(run, "sync")[1]["plugins"][0]["action"] == "present"
    assert told(run, "plugins", "list")[1]["plugins"][0]["states"] == ["active", "pinned"]

    code, document = told(run, "plugins", "pin", "demo-plugin==1.1.0")
    assert (code, document["pin"]["version"]) == (0, "1.1.0")
    code, out, _ = run("plugins", "pin", "demo-plugin", "--none")
    assert (code, out) == (0, "demo-plugin: 1.1.0 was pinned\n")
    assert run("plugins", "pin", "demo-plugin", "--none")[1] == "demo-plugin: nothing was pinned\n"
    assert run("sync")[0] == 0

    code, out, err = run("plugins", "prune", "--keep", "0", "--dry-run")
    assert code == 0
    assert "would remove demo-plugin 1.0.0" in out
    assert "would free" in err
    code, document = told(run, "plugins", "prune", "--keep", "0")
    assert [each["version"] for each in document["removed"]] == ["1.0.0"]
    assert document["freed_bytes"] > 0
    code, _, err = run("plugins", "rollback", "demo-plugin")
    assert code == 1
    assert "was pruned" in err

    code, out, _ = run("plugins", "resume", "demo-plugin")
    assert (code, out) == (0, "demo-plugin: nothing was held against it\n")

    code, _, err = run("plugins", "uninstall", "demo-plugin")
    assert code == 2
    assert "asks for it" in err
    code, out, _ = run("plugins", "uninstall", "demo-plugin", plugins="")
    assert code == 0
    assert out.startswith("demo-plugin is uninstalled\nremoved demo-plugin 1.1.0\n")
    assert told(run, "plugins", "list", "--all", plugins="")[1]["plugins"] == []


def test_what_failed_is_listed_and_can_be_resumed(run: Run, tree: RegistryTree) -> None:
    tree.publish(*demo_plugin_wheel("1.2.0", source="raise SystemExit('not today')\n"))
    assert run("sync")[0] == 1
    code, out, err = run("sync")
    assert code == 1
    assert "held" in out
    assert "assess sync --retry" in err
    listed = told(run, "plugins", "list", "--all")[1]["plugins"]
    assert {each["version"]: each["states"] for each in listed}["1.2.0"] == ["held"]
    (serves,) = told(run, "plugins", "list")[1]["plugins"]
    assert (serves["version"], serves["held"]) == ("1.1.0", ["1.2.0"])
    assert run("plugins", "list")[1].splitlines()[1].endswith(" 1.2.0")
    code, out, _ = run("plugins", "resume", "demo-plugin")
    assert code == 0
    assert out.startswith("demo-plugin: 1.2.0 had failed 1 times: ")
    assert told(run, "plugins", "list")[1]["plugins"][0]["states"] == ["active"]


def test_what_was_revoked_is_listed_as_soon_as_a_sync_has_heard_of_it(run: Run, tree: RegistryTree) -> None:
    assert told(run, "plugins", "list")[1]["plugins"][0]["states"] == ["active"]
    said: dict[str, Any] = {"reason": "leaks", "severity": "high", "now": datetime.now(UTC)}
    for version in ("1.0.0", "1.1.0"):
        revoke(tree.root, parse_project("demo-plugin"), version, keys=tree.everybody.release_keys, **said)
    assert run("sync")[0] == 5
    assert told(run, "plugins", "list")[1]["plugins"][0]["states"] == ["active", "revoked"]
    assert run("plugins", "rollback", "demo-plugin")[0] == 5


def test_whether_it_would_run_here(run: Run) -> None:
    code, document = told(run, "plugins", "compat")
    assert (code, document["exit"]) == (0, 0)
    assert [(each["distribution"], each["runs"]) for each in document["plugins"]] == [("demo-plugin", True)]
    code, out, _ = run("plugins", "compat", "demo-plugin==1.0.0")
    assert code == 0
    assert "1.0.0" in out
    code, _, err = run("plugins", "compat", "demo-plugin==9")
    assert code == 1
    assert "demo-plugin" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("pin", "demo-plugin"),
        ("pin", "demo-plugin==1.0.0", "--none"),
        ("pin", "demo-plugin==latest"),
        ("pin", "other==1.0.0"),
        ("rollback", "other"),
        ("resume", "other"),
        ("uninstall", "other"),
        ("compat", "=="),
        ("prune", "--keep", "-1"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("plugins", *arguments)[0] == 2

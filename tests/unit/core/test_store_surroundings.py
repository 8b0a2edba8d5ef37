"""What may stand around the packages of an environment."""

import hashlib
import sys
from pathlib import Path

import pytest

from assess_core.store.surroundings import check_config, check_interpreter_links, extras_of, is_seed, is_surrounding
from assess_registry.client import inspect
from tests.support.wheels import WheelBuilder

HOME = Path(sys.executable).resolve()


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(HOME)
    (tmp_path / "bin/python3").symlink_to("python")
    (tmp_path / "pyvenv.cfg").write_text(f"home = {HOME.parent}\ninclude-system-site-packages = false\n")
    return tmp_path


def test_an_ordinary_environment_has_nothing_to_object_to(environment: Path) -> None:
    assert check_config(environment) == []
    assert check_interpreter_links(environment, ["bin/python", "bin/python3"], expected=HOME) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("= false", "= true", "must be false"),
        ("include-system-site-packages = false\n", "", "must be false"),
        (f"home = {HOME.parent}", "home = /tmp/evil/bin", "/tmp/evil/bin"),
        (f"home = {HOME.parent}\n", "", "home is None"),
        ("home =", "home = /tmp/evil\nhome =", "twice"),
    ],
)
def test_a_config_that_leads_elsewhere_is_named(environment: Path, old: str, new: str, says: str) -> None:
    config = environment / "pyvenv.cfg"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new, 1))
    (difference, *_) = check_config(environment)
    assert says in difference.message


def test_links_that_do_not_end_at_an_interpreter_outside_are_named(environment: Path) -> None:
    (environment / "bin/python3.11").symlink_to(environment / "evil")
    (environment / "bin/python3.12").write_text("#!/bin/sh")
    (environment / "evil").write_text("#!/bin/sh")
    paths = ["bin/python", "bin/python3", "bin/python3.11", "bin/python3.12"]
    assert [each.path for each in check_interpreter_links(environment, paths, expected=None)] == paths[2:]
    assert len(check_interpreter_links(environment, paths[:2], expected=Path("/usr/bin/other"))) == 2


def test_only_an_environment_of_pips_has_activation_scripts(environment: Path) -> None:
    for name in ("bin/activate", ".gitignore", "bin/pyvenv.cfg", "bin/evil"):
        (environment / name).write_text("")
    (environment / "bin/activate.csh").symlink_to("/tmp/evil")
    assert is_surrounding("bin/activate", environment, ours=False)
    assert is_surrounding(".gitignore", environment, ours=False)
    for name in ("bin/activate.csh", "bin/pyvenv.cfg", "bin/evil", "sitecustomize.py", "bin/python3.11.so"):
        assert not is_surrounding(name, environment, ours=False), name
    assert not is_surrounding("bin/activate", environment, ours=True)


def test_lib64_may_only_lead_to_lib(environment: Path) -> None:
    (environment / "lib64").symlink_to("lib")
    assert is_surrounding("lib64", environment, ours=True)
    (environment / "lib64").unlink()
    (environment / "lib64").symlink_to("/tmp/evil")
    assert not is_surrounding("lib64", environment, ours=True)


def test_a_seed_owns_its_directories_and_nothing_else() -> None:
    assert is_seed("pip/_internal/cli.py", {"pip"})
    assert is_seed("pip-25.1.dist-info/METADATA", {"pip"})
    assert is_seed("pkg_resources/__init__.py", {"setuptools"})
    for path in ("evil.pth", "pipx/evil.py", "pip.py", "pip-evil/x.py", "setuptools/x.py", "sitecustomize.py"):
        assert not is_seed(path, {"pip"}), path


def test_what_pip_adds_for_a_wheel_follows_from_the_wheel() -> None:
    wheel = WheelBuilder.dependency(
        "tool",
        files={
            "tool/__init__.py": "",
            "tool.pth": "# text\n",
            "tool-1.0.0.data/scripts/script": "#!python\n",
            "tool-1.0.0.data/scripts/pyvenv.cfg": "home = /tmp\n",
            "tool-1.0.0.data/data/share/data.txt": "data\n",
        },
        entry_points={"console_scripts": {"run-tool": "tool:main"}, "other": {"no-script": "tool:main"}},
    )
    extras = {
        each.path: each.sha256 for each in extras_of(inspect(wheel.build(), wheel.filename, kind="dependency"), "S")
    }
    assert extras.keys() == {"bin/run-tool", "bin/script", "S/tool.pth", "share/data.txt"}
    assert extras["bin/script"] is None
    assert extras["S/tool.pth"] == hashlib.sha256(b"# text\n").hexdigest()

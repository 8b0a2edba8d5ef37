import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from assess_registry.audit import source
from assess_registry.audit.source import build_wheel
from assess_registry.errors import ConfigError
from assess_registry.tools import ToolLimits, ToolRun


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    text = '[build-system]\nrequires = []\nbuild-backend = "ours"\nbackend-path = ["backend"]\n'
    (tree / "pyproject.toml").write_text(text + '[project]\nname = "demo"\nversion = "1.0"\n')
    return tree


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return scratch


class Pip:
    """Instead of pip: writes these files and ends so."""

    def __init__(self, *names: str, run: ToolRun | None = None) -> None:
        self._names, self._run = names, run or ToolRun(exit_code=0)
        self.argv: Sequence[str] = ()
        self.environment: Mapping[str, str] = {}

    def __call__(
        self, argv: Sequence[str], *, cwd: Path, limits: ToolLimits, environment: Mapping[str, str]
    ) -> ToolRun:
        self.argv, self.environment = argv, environment
        for name in self._names:
            (cwd / name).write_bytes(b"built")
        return self._run


def test_pip_builds_without_a_network_or_anybodys_configuration(
    tree: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip("demo-1.0-py3-none-any.whl")
    monkeypatch.setattr(source, "run_tool", pip)
    built = build_wheel(tree, scratch)
    assert (built.filename, built.data) == ("demo-1.0-py3-none-any.whl", b"built")
    assert pip.argv[:5] == [sys.executable, "-I", "-m", "pip", "wheel"]
    assert {"--isolated", "--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir"} <= set(pip.argv)
    assert pip.environment == {"PIP_CONFIG_FILE": "/dev/null", "SOURCE_DATE_EPOCH": "315532800"}


@pytest.mark.parametrize(
    ("pip", "says"),
    [
        (Pip(run=ToolRun(exit_code=1, stderr=b"error: x\nlast line")), "exit code 1\n  error: x\n  last line"),
        (Pip(run=ToolRun(exit_code=-9, problem="pip: killed by SIGKILL")), "pip: killed by SIGKILL"),
        (Pip(), "expected one wheel from ours, got 0"),
        (Pip("a.whl", "b.whl"), "expected one wheel from ours, got 2"),
    ],
)
def test_a_build_that_fails_says_how(
    pip: Pip, says: str, tree: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "run_tool", pip)
    with pytest.raises(ConfigError) as refused:
        build_wheel(tree, scratch)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no pyproject.toml: expected a wheel, or the source tree of a plugin"),
        ("[build-system", "not TOML"),
        ('[build-system]\nbuild-backend = "no_such_backend.api"', "install what build-system.requires names"),
        ('[build-system]\nbuild-backend = "no such.backend:x"', "install what build-system.requires names"),
        ('[build-system]\nbuild-backend = ""', "expected the name of a module"),
        ("build-system = 1", "expected the name of a module"),
    ],
)
def test_a_tree_that_cannot_be_built_here_is_refused_before_anything_runs(
    text: str | None, says: str, tree: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip("demo-1.0-py3-none-any.whl")
    monkeypatch.setattr(source, "run_tool", pip)
    (tree / "pyproject.toml").unlink()
    if text is not None:
        (tree / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        build_wheel(tree, scratch)
    assert says in str(refused.value)
    assert pip.argv == ()

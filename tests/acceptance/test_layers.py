"""An import against the direction fails the contracts, wherever it hides; the untouched copy keeps them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import BARE_PATH, ROOT
from tests.support.programs import require_program

NAMES = "src/assess_registry/names.py"
PLANTED = {
    "registry knows of core": (NAMES, "import assess_core.results\n", "names -> assess_core.results"),
    "in a function": (NAMES, "def _f() -> None:\n    import assess_core.results\n", "names -> assess_core.results"),
    "for types only": (
        NAMES,
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import assess_core.results\n",
        "names -> assess_core.results",
    ),
    "core behind the client": (
        "src/assess_core/assessing/plan.py",
        "import assess_registry.keys\n",
        "plan -> assess_registry.keys",
    ),
    "a lower stage uses a higher": (
        "src/assess_core/store/values.py",
        "import assess_core.delivery.pipeline\n",
        "store.values -> assess_core.delivery.pipeline",
    ),
    "the SDK uses the runtime": (
        "sdk/src/assess_plugin/models.py",
        "import assess_core.results\n",
        "models -> assess_core.results",
    ),
    "a module in no layer": ("src/assess_core/helpers.py", '"""Misplaced."""\n', "helpers"),
}
"""What is wrong -> file, what is added to it, and what the report must name."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("layers")
    shutil.copy2(ROOT / ".importlinter", top)
    for source in ("src", "sdk/src"):
        shutil.copytree(ROOT / source, top / source, ignore=shutil.ignore_patterns("__pycache__"))
    return top


def lint(top: Path) -> subprocess.CompletedProcess[str]:
    """What `tox -e layers` does, on this tree."""
    environment = {"PYTHONPATH": f"{top / 'src'}:{top / 'sdk/src'}", "PATH": BARE_PATH, "HOME": str(top)}
    command = [sys.executable, "-P", require_program("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=top, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_copy_keeps_every_contract(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_breaks_one(name: str, copy: Path) -> None:
    path, added, named = PLANTED[name]
    assert named not in lint(copy).stdout
    file = copy / path
    before = file.read_bytes() if file.exists() else None
    file.write_text((before or b"").decode() + added)
    try:
        done = lint(copy)
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_bytes(before)
    assert done.returncode != 0, done.stdout
    assert "BROKEN" in done.stdout
    assert named in done.stdout

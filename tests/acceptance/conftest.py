"""What acceptance tests share: one checkout in which `make run-local` has run, and one OSCAL validator."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.checkout import Checkout, checkout
from tests.support.programs import refuse_or_skip

Validate = Callable[[str, str], tuple[int, str]]
"""A name and an OSCAL document to trestle's exit code and what it said."""


RUN_LOCAL_S = 540
"""Everything is downloaded and installed, possibly beside another worker that does the same."""


@pytest.fixture(scope="session")
def ran() -> Iterator[Checkout]:
    """A fresh checkout after its first `make run-local`, as whoever runs the tests."""
    with checkout() as fresh:
        done = fresh.run("make", "run-local", timeout_s=RUN_LOCAL_S)
        assert done.returncode == 0, done.stdout + done.stderr
        yield fresh


@pytest.fixture(scope="session")
def validate(tmp_path_factory: pytest.TempPathFactory) -> Validate:
    """`trestle validate`, in a workspace of its own; the program is named by `ASSESS_TRESTLE`."""
    trestle = os.environ.get("ASSESS_TRESTLE", "")
    if not os.access(trestle, os.X_OK):
        refuse_or_skip("compliance-trestle, named by ASSESS_TRESTLE,")
    workspace = tmp_path_factory.mktemp("trestle")
    subprocess.run([trestle, "init", "--local"], cwd=workspace, check=True, capture_output=True, timeout=120)

    def validated(name: str, text: str) -> tuple[int, str]:
        folder = workspace / "assessment-results" / name
        folder.mkdir(parents=True)
        Path(folder, "assessment-results.json").write_text(text)
        done = subprocess.run(
            [trestle, "validate", "-t", "assessment-results", "-n", name],
            cwd=workspace,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return validated


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These tests build, install and serve; they get the time for it."""
    for item in items:
        if "acceptance" in item.path.parts:
            item.add_marker(pytest.mark.acceptance)
            item.add_marker(pytest.mark.timeout(1800))

"""A signal that comes before a command has begun: while Python imports what it is made of, or makes its loop.

The program under test sends it to itself in that moment, so that it is always the same one.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.registry_tree import DEMO_EACH_SECOND, make_registry_tree

HIT = """
import os, signal, sys
where, number, package = sys.argv[1], int(sys.argv[2]), sys.argv[3]
del sys.argv[1:4]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would all below

def hit():
    os.kill(os.getpid(), number)

class Importing:
    def find_spec(self, name, path=None, target=None):
        if name == where:
            sys.meta_path.remove(self)
            hit()

sys.meta_path.insert(0, Importing())
if where == "the loop":
    import asyncio
    begin = asyncio.run
    asyncio.run = lambda work: (hit(), begin(work))[1]
main = __import__(package + ".cli", fromlist=["main"]).main
sys.exit(main())
"""

NOTHING, INT, TERM, HUP, USR1 = 0, 2, 15, 1, 10


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("early")
    make_registry_tree(directory / "registry")
    return directory


@pytest.fixture
def place(made: Path) -> Iterator[Path]:
    """Of each test its own but for the registry."""
    (made / "assess.toml").write_text(DEMO_EACH_SECOND)
    yield made
    shutil.rmtree(made / "state", ignore_errors=True)


def hit(
    place: Path, where: str, number: int, *argv: str, package: str = "assess_core"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIT, where, str(number), package, *argv]
    return subprocess.run(command, check=False, cwd=place, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("where", ["assess_core.cli.app", "assess_core.up.service", "the loop"])
@pytest.mark.parametrize(("number", "code"), [(TERM, 0), (INT, 130)])
def test_up_that_is_stopped_before_it_has_begun_ends_in_its_order(
    number: int, code: int, where: str, place: Path
) -> None:
    done = hit(place, where, number, "up", "--state-dir", "state")
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "stopping: SIG" in done.stderr


def test_what_is_wrong_is_said_although_it_is_to_stop(place: Path) -> None:
    (place / "assess.toml").write_text("nonsense = true\n")
    done = hit(place, "assess_core.up.service", TERM, "up", "--state-dir", "state")
    assert (done.returncode, "nonsense" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("where", ["assess_core.cli.app", "click.core", "assess_core.cli.results.list"])
def test_an_interrupted_command_shows_no_traceback(where: str, place: Path) -> None:
    argv = ("results", "list", "--state-dir", "state")
    done = hit(place, where, INT, *argv)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert "Traceback" not in done.stderr
    control = hit(place, where, NOTHING, *argv)
    assert control.returncode == 0, control.stderr


@pytest.mark.parametrize("where", ["assess_registry.cli.app", "click.core"])
def test_so_it_is_where_the_registry_is_kept(where: str, place: Path) -> None:
    done = hit(place, where, INT, "--version", package="assess_registry")
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert hit(place, where, NOTHING, "--version", package="assess_registry").returncode == 0

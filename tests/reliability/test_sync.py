"""32 processes install the same 20 plugins into one empty state directory at once, and some of them are killed."""

import json
import random
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.reliability.conftest import size
from tests.support.fleet_place import Fleet, make_fleet
from tests.support.nothing_left import Adopted, left_of

PROCESSES, PLUGINS, KILLED = size(32, 8), size(20, 5), size(8, 3)
KILL_WITHIN_S = size(20, 4)
WAIT_S = 600.0
"""To import the command line so often takes most of it: a second of processor time each."""

SEED = 7
EVERYBODY_NEEDS = ("assess-plugin", "pluggy")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Published, and nothing installed."""
    return make_fleet(tmp_path_factory.mktemp("sync"), count=PLUGINS, installed=False)


def test_one_valid_copy_and_no_error_but_of_the_killed(empty: Fleet, adopted: Adopted, tmp_path: Path) -> None:
    mine = empty.copy(tmp_path / "mine", installed=False)
    chance = random.Random(SEED)
    began = time.monotonic()
    running = [started(mine, tmp_path / f"{number}.out") for number in range(PROCESSES)]
    victims = sorted((chance.uniform(1.5, KILL_WITHIN_S), process) for process in chance.sample(running, KILLED))
    for at_s, victim in victims:
        time.sleep(max(0.0, began + at_s - time.monotonic()))
        victim.kill()
    codes = [process.wait(max(1.0, began + WAIT_S - time.monotonic())) for process in running]
    took_s = time.monotonic() - began
    said = [json.loads((tmp_path / f"{number}.out").read_text()) for number, code in enumerate(codes) if code == 0]
    print(f"\n{PROCESSES} processes, {PLUGINS} plugins: {took_s:.0f} s, exits {Counter(codes)}")

    errors = {n: (tmp_path / f"{n}.err").read_text() for n, code in enumerate(codes) if code not in (0, -9)}
    assert not errors
    assert Counter(codes)[-9] >= 1, "nobody was killed in time"
    assert_each_was_installed_once(mine, said)
    assert_one_copy(mine)
    assert not left_of(mine.state)


def assert_each_was_installed_once(mine: Fleet, said: list[dict[str, list[dict[str, str]]]]) -> None:
    """Whoever came second found it there, and started nothing."""
    actions = {name: Counter[str]() for name in mine.names}
    for document in said:
        for line in document["plugins"]:
            actions[line["distribution"]][line["action"]] += 1
    assert all(set(counts) <= {"installed", "present"} for counts in actions.values()), actions
    assert all(counts["installed"] <= 1 for counts in actions.values()), actions


def assert_one_copy(mine: Fleet) -> None:
    done = subprocess.run(mine.argv("plugins", "verify"), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((mine.state / "active").glob("*.json"))) == PLUGINS
    assert len([path for path in (mine.state / "envs").iterdir() if path.is_dir()]) == PLUGINS
    assert len(list((mine.state / "wheels").iterdir())) == PLUGINS + len(EVERYBODY_NEEDS)
    assert subprocess.run(mine.argv("sync"), capture_output=True, timeout=120, check=False).returncode == 0


def started(mine: Fleet, output: Path) -> subprocess.Popen[bytes]:
    with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
        return subprocess.Popen(mine.argv("sync", "--quiet", "--output", "json"), stdout=out, stderr=err)

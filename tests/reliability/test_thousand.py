"""1,000 assessments over 50 plugins; workers are killed all the time, and once the runtime itself.

Each ends in exactly one recorded outcome: all its results, or one reason why there are none. Afterwards nothing is
left.
"""

import json
import random
import subprocess
import sys
from collections import Counter

from assess_core.journal import Journal
from assess_core.results import AssessmentRun, Result
from tests.reliability.conftest import size
from tests.reliability.driver import ids
from tests.support.checkout import ROOT
from tests.support.fleet_place import RUNTIME, SUBJECTS, Fleet, checks
from tests.support.killer import Killer
from tests.support.nothing_left import Adopted, left_of

AT_ONCE = 16
SEED = 20261121


def drive(fleet: Fleet, count: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.reliability.driver", str(fleet.path), str(fleet.state), str(count)]
    return subprocess.Popen(
        [*argv, str(AT_ONCE)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def test_each_assessment_ends_in_exactly_one_outcome_whoever_is_killed(mine: Fleet, adopted: Adopted) -> None:
    """Calls take a while, so that whoever is killed is mostly at work."""
    mine.configure(plugins={name: {"settings": {"pause_ms": 100}} for name in mine.names})
    count = size(1000, 100)
    wanted = ids(RUNTIME, list(mine.names), count)
    killed: Counter[str] = Counter()
    chance = random.Random(SEED)

    with drive(mine, count) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "up\n"
        with Killer(first.pid, seed=SEED) as killer:
            for _ in range(chance.randrange(count // 10, count // 2)):
                assert first.stdout.readline() == "recorded\n"
            first.kill()
        killed += killer.killed
    with Journal.open(mine.state / "journal.db") as journal:
        of_the_first = len(journal.runs(limit=count + 1))

    with drive(mine, count) as second:
        assert second.stdout is not None
        assert second.stdout.readline() == "up\n"
        with Killer(second.pid, seed=SEED + 1) as killer:
            *_, last = second.stdout
        killed += killer.killed
    assert second.returncode == 0
    more = json.loads(last)

    with Journal.open(mine.state / "journal.db") as journal:
        runs = journal.runs(limit=2 * count)
        results = {run.run_id: journal.results(run.run_id) for run in runs}
    print(
        f"\n{count} assessments, {of_the_first} before the runtime was killed; killed {dict(killed)}; "
        f"{sum(run.problem is not None for run in runs)} without subjects, "
        f"{Counter(result.outcome.value for each in results.values() for result in each)}"
    )
    assert Counter(run.run_id for run in runs) == Counter(list(wanted))
    assert not [wrong for run in runs if (wrong := what_is_wrong(run, results[run.run_id]))]
    assert killed["worker"] > count / 50
    assert not more, "what it has open after its work"
    assert not left_of(mine.state)


def what_is_wrong(run: AssessmentRun, results: tuple[Result, ...]) -> str:
    """Nothing, when it has a result for each check of each subject and nothing else, or a reason for having none."""
    if run.problem is not None and not run.subjects:
        return f"{run.assessment}: no subjects, and {len(results)} results" if results else ""
    found = Counter((result.subject.id, result.check) for result in results)
    wanted = Counter((f"host:{number:03}", check) for number in range(SUBJECTS) for check in checks(run.assessment))
    return "" if found == wanted else f"{run.assessment}: {found - wanted} too many, {wanted - found} missing"


def test_a_run_that_lacks_a_result_or_has_one_twice_is_noticed(mine: Fleet) -> None:
    """The control: what the test above goes by can say no."""
    count = len(mine.names)
    with drive(mine, count) as only:
        assert only.wait(120) == 0
    with Journal.open(mine.state / "journal.db") as journal:
        run = journal.runs(limit=1)[0]
        results = journal.results(run.run_id)
    assert what_is_wrong(run, results) == ""
    assert "missing" in what_is_wrong(run, results[1:])
    assert "too many" in what_is_wrong(run, (*results, results[0]))

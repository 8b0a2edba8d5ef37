"""Isolation changes no verdict: the sample plugin says the same of this machine held and free."""

import json
from typing import Any

import pytest

from tests.acceptance.sites import one_document
from tests.support.checkout import Checkout


@pytest.fixture(scope="module")
def runs(ran: Checkout) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Isolated, free, isolated again: results by check. What the first and the last differ in is the machine's."""
    free = ran.path / "free.toml"
    text = (ran.path / "assess.toml").read_text()
    assert text.count("[runtime]\n") == 1
    free.write_text(text.replace("[runtime]\n", "[runtime]\nrun_plugins_without_isolation = true\n"))
    try:
        return run(ran), run(ran, "--config", str(free)), run(ran)
    finally:
        free.unlink()


def run(place: Checkout, *argv: str) -> dict[str, Any]:
    done = place.run(place.bin / "assess", "run", "--fail-on", "none", "--output", "json", *argv)
    assert done.returncode == 0, done.stderr
    return {result["check"]: result for result in one_document(done.stdout)["results"]}


def test_every_verdict_is_the_same_and_so_is_what_it_rests_on(
    runs: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    held, free, again = runs
    assert len(held) > 50
    assert held.keys() == free.keys() == again.keys()
    steady = [check for check in held if what_was_found(held[check]) == what_was_found(again[check])]
    assert len(steady) > 50
    for check in steady:
        assert what_was_found(free[check]) == what_was_found(held[check]), check


def what_was_found(result: Any) -> tuple[str, ...]:
    """The verdict, its words, what was touched to obtain it, and the digests of its evidence."""
    names = ("outcome", "reason", "expected", "actual", "provenance", "evidence")
    return tuple(json.dumps(result[name], sort_keys=True) for name in names)


def test_results_say_which_was_which(runs: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]) -> None:
    held, free, _ = runs
    assert {result["isolation"] for result in held.values()} == {"full"}
    assert {result["isolation"] for result in free.values()} == {"none"}

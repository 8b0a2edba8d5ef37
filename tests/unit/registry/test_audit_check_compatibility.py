"""Evidence of tox counts when it is about this very wheel, and is never read beyond its bounds."""

import hashlib
import json
from typing import Any

import pytest

from assess_registry.audit.checks import compatibility
from assess_registry.audit.context import Context
from assess_registry.audit.values import Examination
from tests.support.examining import examined, ids, only, plugin_with

WHEEL = plugin_with("")
SHA256 = hashlib.sha256(WHEEL.build()).hexdigest()


def environment(minor: int = 11, *, sha256: str = SHA256, **result: Any) -> dict[str, Any]:
    """As tox 4 writes it, without what is not read."""
    return {
        "python": {"implementation": "CPython", "version_info": [3, minor, 2, "final", 0]},
        "installed_packages": ["assess-plugin==1.0.0", "pluggy==1.6.0"],
        "installpkg": {"basename": WHEEL.filename, "type": "file", "sha256": sha256},
        "result": {"success": True, "exit_code": 0, "duration": 1.5, "skipped": False} | result,
        "test": [{"command": ["pytest"], "output": "", "err": "", "retcode": 0}],
    }


def given(**environments: Any) -> bytes:
    return json.dumps({"reportversion": "1", "toxversion": "4.67", "testenvs": environments}).encode()


def examine(evidence: bytes | None) -> Examination:
    return examined(compatibility, WHEEL, Context(evidence=evidence))


def test_passes_are_counted_by_python_and_api() -> None:
    evidence = given(py311=environment(), extra=environment(), py312=environment(12))
    found = examine(evidence)
    assert found.findings == ()
    assert found.facts["summary"] == {
        "Python 3.11, API 1.0.0": {"passed": 2, "failed": 0, "skipped": 0},
        "Python 3.12, API 1.0.0": {"passed": 1, "failed": 0, "skipped": 0},
    }
    assert found.attachments == {"tox.json": evidence}


@pytest.mark.parametrize("name", [".pkg", ".pkg_external", ".pkg-cpython311"])
def test_environments_that_package_are_no_tests(name: str) -> None:
    """`tox run --installpkg` leaves one without a result; a test environment without one is no result of tox."""
    bare = {"python": environment()["python"], "installed_packages": []}
    assert ids(examine(given(**{name: bare, "py311": environment()}))) == []
    assert ids(examine(given(pkg=bare, py311=environment()))) == ["compatibility-malformed"]


def test_nothing_given_is_a_note() -> None:
    assert only(examine(None), "compatibility-unknown").severity == "info"
    assert ids(examine(given(py311=environment()))) == []


def test_a_failed_environment() -> None:
    found = examine(given(py311=environment(), py312=environment(12, success=False, exit_code=1)))
    assert only(found, "compatibility-failed").severity == "medium"
    assert "Python 3.12" in only(found, "compatibility-failed").message


@pytest.mark.parametrize(
    "other",
    [
        environment(sha256="0" * 64),
        environment() | {"installpkg": None},
        environment() | {"test": []},
        environment(skipped=True),
    ],
)
def test_a_pass_of_something_else_does_not_count(other: dict[str, Any]) -> None:
    assert ids(examine(given(py311=other))) == ["compatibility-of-another-wheel"]


@pytest.mark.parametrize(
    "evidence",
    [
        b"",
        b"[]",
        b"{}",
        b'{"testenvs": {}}',
        b'{"testenvs": []}',
        b'{"testenvs": {"a": 1}}',
        b'{"testenvs": {"a": {}}}',
        b'{"testenvs": {"a": {"result": {"success": "yes"}}}}',
        b'{"testenvs": {"a": {"result": {"success": NaN}}}}',
        b"\xff",
        b"[" * 100_000,
        given(**{f"e{number}": environment() for number in range(201)}),
    ],
)
def test_hostile_evidence_is_refused_and_the_check_incomplete(evidence: bytes) -> None:
    found = examine(evidence)
    assert ids(found) == ["compatibility-malformed"]
    assert found.incomplete


@pytest.mark.parametrize(
    "change", [{"python": []}, {"python": {"version_info": ["3", 11]}}, {"python": {"version_info": [True]}}]
)
def test_an_odd_python_is_unknown(change: dict[str, Any]) -> None:
    assert "Python unknown, API 1.0.0" in examine(given(py311=environment() | change)).facts["summary"]


@pytest.mark.parametrize("packages", [None, "assess-plugin==1", [1], ["assess-plugin @ file:///x"]])
def test_an_odd_list_of_packages_is_unknown(packages: object) -> None:
    odd = environment() | {"installed_packages": packages}
    assert "Python 3.11, API unknown" in examine(given(py311=odd)).facts["summary"]


def test_evidence_inside_the_wheel_is_not_looked_at() -> None:
    inside = WHEEL.but(files={**(WHEEL.files or {}), f"{WHEEL.dist_info}/tox.json": given(py311=environment())})
    assert ids(examined(compatibility, inside)) == ["compatibility-unknown"]

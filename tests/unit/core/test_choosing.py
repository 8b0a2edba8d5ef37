"""What is said when no Python of this machine will do: what was tried, what would do, and where that one is."""

from dataclasses import replace
from pathlib import Path

import pytest

from assess_core.delivery.choosing import gone, refused
from assess_core.store import Interpreter, Interpreters, running_interpreter
from assess_core.store.interpreter import running_build
from assess_core.store.interpreters import Found
from assess_registry.client import UnservedError

OWN = running_interpreter()
OTHER = replace(OWN, path=Path("/opt/python3.42"), version="3.42.1")


def refusal(step: str = "python") -> UnservedError:
    return UnservedError(
        "this version is not for this Python",
        step=step,
        thing="demo-plugin 2.0.0",
        expected="==3.43.*",
        got=OWN.version,
        next_step="ask for one that fits",
    )


class Known(Interpreters):
    """What is found is given."""

    def __init__(self, *found: Found, configured: tuple[Path, ...] = ()) -> None:
        super().__init__(configured=configured, places=())
        self._given = found

    def found(self) -> tuple[Found, ...]:
        return self._given


def said(wanted: tuple[str, ...], known: Interpreters, *tried: Interpreter) -> UnservedError:
    return refused([(each, refusal()) for each in tried], wanted, known)


def test_it_is_the_refusal_of_the_best_with_a_line_for_each_that_was_tried() -> None:
    error = said(("3.43",), Known(), OWN, OTHER)
    assert (error.step, error.thing, error.expected, error.got) == (
        "python",
        "demo-plugin 2.0.0",
        "==3.43.*",
        OWN.version,
    )
    assert [(issue.id, issue.entry) for issue in error.issues] == [
        ("tried", str(OWN.path)),
        ("tried", "/opt/python3.42"),
    ]
    assert error.next_step == (
        "it runs under Python 3.43, which is not on this machine: install it; or ask for one that fits"
    )


def test_where_only_one_was_tried_there_is_no_list_of_one() -> None:
    assert said(("3.43", "3.44"), Known(), OWN).issues == ()
    assert "under Python 3.43 or 3.44, which" in said(("3.43", "3.44"), Known(), OWN).next_step


def test_of_another_platform_no_python_is_named() -> None:
    assert said((), Known(), OWN).next_step == "ask for one that fits"


def test_where_an_order_is_configured_it_has_to_be_named_there() -> None:
    known = Known(configured=(OTHER.path,))
    error = said(("3.43",), known, OTHER, OWN)
    assert "which is none of runtime.interpreters: install it, and name it there" in error.next_step


@pytest.mark.parametrize(("version", "named"), [("3.43.0", True), ("3.42.9", False)])
def test_one_that_would_do_and_cannot_be_used_is_named_with_the_reason(version: str, named: bool) -> None:
    build = replace(running_build(), interpreter=replace(OTHER, version=version))
    found = Found(path=Path("/opt/free/python3"), build=build, problem="it is built without a global interpreter lock")
    error = said(("3.43",), Known(found), OWN)
    assert [issue.id for issue in error.issues] == (["tried", "not-used"] if named else [])
    assert ("which is here and cannot be used; or" in error.next_step) is named


def test_of_one_that_is_gone_it_is_said_what_it_was_and_what_is_here() -> None:
    change = "its environment needs Python 3.43.1, which was /opt/x; that is gone"
    assert gone(change, ("3.43",), [OWN]).startswith(
        f"{change}. It runs under Python 3.43 only, and here are: {OWN.version} ({OWN.path})."
    )
    assert "No other Python of this machine serves it" in gone(change, (), [OWN])

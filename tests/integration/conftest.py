"""What integration tests share: answers of programs that were asked the same before."""

from collections.abc import Iterator

import pytest

from tests.support.remembered import Remembered

REMEMBERING = ("test_audit_cli", "test_closure_advisories", "test_new_cli", "test_reaudit")
"""Tests of what an audit's answers lead to; those of the programs it asks are in test_audit_tools."""


@pytest.fixture(scope="session")
def remembered() -> Remembered:
    """A test in which the programs matter calls `forget` first."""
    return Remembered()


@pytest.fixture(autouse=True)
def _asked_once(request: pytest.FixtureRequest, remembered: Remembered) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.path.stem in REMEMBERING:
            remembered.within(patch)
        yield

"""One checkout in which `make run-local` has run, shared by the tests that look at what it left."""

from collections.abc import Iterator

import pytest

from tests.support.checkout import Checkout, checkout


@pytest.fixture(scope="session")
def ran() -> Iterator[Checkout]:
    """A fresh checkout after its first `make run-local`, as whoever runs the tests."""
    with checkout() as fresh:
        done = fresh.run("make", "run-local")
        assert done.returncode == 0, done.stdout + done.stderr
        yield fresh


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These tests build, install and serve; they get the time for it."""
    for item in items:
        if "acceptance" in item.nodeid:
            item.add_marker(pytest.mark.timeout(600))

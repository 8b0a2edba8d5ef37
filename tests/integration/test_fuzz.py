"""The pipe and the broker from both sides, by whatever hypothesis thinks of; `tox -e fuzz` goes on where this ends."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.broker import broker
from tests.fuzz.child import child
from tests.fuzz.parent import parent

TARGETS = {"parent": parent, "child": child, "broker": broker}


@pytest.fixture(scope="module", params=TARGETS)
def target(request: pytest.FixtureRequest) -> Iterator[Any]:
    with TARGETS[request.param]() as made:
        yield made


def test_what_the_document_shows_is_survived(target: Any) -> None:
    seeds = list(target.seeds())
    assert len(seeds) > 5
    for seed in seeds:
        target.run(seed)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
def test_whatever_is_said_is_survived(target: Any, data: bytes) -> None:
    target.run(data)

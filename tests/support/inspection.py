"""Short ways to say what inspecting a built wheel must come to."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from assess_registry.errors import Issue, WheelError
from assess_registry.wheel import InspectedWheel, Kind, inspect
from tests.support.wheels import WheelBuilder
from tests.support.zips import Member


def accepted(builder: WheelBuilder, kind: Kind = "plugin") -> InspectedWheel:
    """The inspected wheel; fails the test with all issues when there are any."""
    return inspect(builder.build(), builder.filename, kind=kind)


def refused(builder: WheelBuilder, kind: Kind = "plugin") -> tuple[Issue, ...]:
    """All issues of a wheel that must be refused."""
    return refused_bytes(builder.build(), builder.filename, kind)


def refused_bytes(data: bytes, filename: str, kind: Kind = "plugin") -> tuple[Issue, ...]:
    """All issues of bytes that must be refused."""
    with pytest.raises(WheelError) as caught:
        inspect(data, filename, kind=kind)
    assert caught.value.issues
    assert all(issue.rule and issue.message and str(issue).isprintable() for issue in caught.value.issues)
    return caught.value.issues


def ids(issues: tuple[Issue, ...]) -> list[str]:
    """Their ids, each once, sorted."""
    return sorted({issue.id for issue in issues})


def on(ending: str, **changes: Any) -> Callable[[Member], Member]:
    """For `WheelBuilder.member`: change the members whose name ends so."""
    return lambda member: replace(member, **changes) if member.name.endswith(ending) else member

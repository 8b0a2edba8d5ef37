"""What has become of a project is on its signed page, or it is active; nothing else can be said."""

from datetime import UTC, datetime
from typing import Any

import pytest

from assess_registry.canonical import decode, encode
from assess_registry.catalogue import MARKERS, Catalogue, Marker, ProjectStatus, parse_catalogue
from assess_registry.errors import TrustError
from assess_registry.names import ProjectName

DEMO = ProjectName("demo-plugin")
AT = datetime(2026, 11, 21, 5, 10, tzinfo=UTC)


def status(marker: Marker = "quarantined", reason: str = "its key was stolen", at: datetime = AT) -> ProjectStatus:
    return ProjectStatus(marker=marker, reason=reason, at=at)


@pytest.mark.parametrize("marker", MARKERS)
def test_what_is_written_is_what_is_read(marker: Marker) -> None:
    page = Catalogue(project=DEMO, status=status(marker))
    assert parse_catalogue(page.data(), DEMO) == page


def test_a_page_of_an_active_project_is_as_it_always_was() -> None:
    assert Catalogue(project=DEMO).data() == encode(
        {"schema": 1, "project": "demo-plugin", "releases": []}, max_bytes=1000
    )


def test_what_a_marker_means() -> None:
    assert [(marker, status(marker).is_quarantined, status(marker).takes_releases) for marker in MARKERS] == [
        ("archived", False, False),
        ("deprecated", False, True),
        ("quarantined", True, False),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"marker": "active"},
        {"marker": "Quarantined"},
        {"marker": None},
        {"reason": ""},
        {"reason": "two\nlines"},
        {"reason": 1},
        {"at": "2026-11-21T05:10:00"},
        {"at": "yesterday"},
        {"by": "somebody"},
    ],
)
def test_anything_else_is_refused(change: dict[str, Any]) -> None:
    table: Any = decode(Catalogue(project=DEMO, status=status()).data(), max_bytes=1000)
    table["status"] |= change
    with pytest.raises(TrustError, match="status"):
        parse_catalogue(encode(table, max_bytes=1000), DEMO)


@pytest.mark.parametrize(
    "change",
    [{"marker": "active"}, {"reason": "a\x1b[2J"}, {"at": datetime(2026, 11, 21)}],  # noqa: DTZ001  that is refused
)
def test_a_value_that_cannot_be_written_cannot_be_made(change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"marker": "archived", "reason": "done", "at": AT}
    assert ProjectStatus(**values).reason == "done"  # the control
    with pytest.raises(ValueError, match=r"."):
        ProjectStatus(**(values | change))

"""docs/catalogue.md names every standing, list and section that the pages have."""

from pathlib import Path

import pytest

from assess_registry.status.places import STATUS
from assess_registry.status.shelf import PART_ROWS
from assess_registry.status.shelves import EMPTY
from assess_registry.status.style import POLICY
from assess_registry.status.values import Standing

TEXT = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text()


@pytest.mark.parametrize("standing", Standing)
def test_every_standing_is_explained(standing: Standing) -> None:
    assert f"  | {standing.value} | " in TEXT


def test_no_standing_is_explained_that_there_is_not() -> None:
    rows = [line.split("|")[1].strip() for line in TEXT.splitlines() if line.startswith("  | ")]
    assert set(rows) - {"standing"} == {each.value for each in Standing}


@pytest.mark.parametrize("place", [each for each in EMPTY if each != "kinds"])
def test_every_list_is_named(place: str) -> None:
    assert f"{STATUS}/{place}/" in TEXT


def test_how_long_a_part_is_and_what_a_page_may_do() -> None:
    assert f"at most {PART_ROWS} rows" in " ".join(TEXT.split())
    assert "`default-src 'none'`" in TEXT
    assert POLICY.startswith("default-src 'none';")

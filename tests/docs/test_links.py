"""Every relative link in the documentation leads somewhere, and the reading order leads to files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("contrib/*/*.md"),
        *ROOT.glob("s*/README.md"),
    )
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def links(document: Path) -> list[str]:
    return [target for target in _LINK.findall(document.read_text()) if "://" not in target and "mailto:" not in target]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(document: Path) -> None:
    missing = [target for target in links(document) if not (document.parent / target).exists()]
    assert not missing


def test_the_reading_order_has_six_stations() -> None:
    text = (ROOT / "docs" / "reading-order.md").read_text()
    assert len(re.findall(r"^\d+\. ", text, flags=re.MULTILINE)) == 6
    assert len(links(ROOT / "docs" / "reading-order.md")) >= 6

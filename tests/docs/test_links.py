"""Every relative link in the documentation leads where its text says, and every file that is named is there."""

import ast
import re
from collections.abc import Iterator
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
_NAMED_LINK = re.compile(r"\[`([^`\]]+)`\]\(([^)#\s]+)(?:#[^)]*)?\)")
_ANCHOR = re.compile(r"\]\(([^)#\s:]*)#([^)\s]+)\)")
_OURS = ("src", "sdk", "contrib", "tests", "bench", "ci")
_OF_OTHERS = {"os.py", "acme/run.py", "demo/CVSparser.py", "src/assess_registry/audit/checks/NAME.py"}
"""Named as examples, or parts of Python."""


def links(document: Path) -> list[str]:
    return [target for target in _LINK.findall(document.read_text()) if "://" not in target and "mailto:" not in target]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(document: Path) -> None:
    missing = [target for target in links(document) if not (document.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_link_leads_to_what_its_text_names(document: Path) -> None:
    """A file that was moved is still found by its link; who reads the text looks for a file of that name."""
    elsewhere = [
        (name, target)
        for name, target in _NAMED_LINK.findall(document.read_text())
        if re.fullmatch(r"[\w./-]+(\.py|\.md|/)", name)
        and not (document.parent / target).resolve().as_posix().endswith(f"/{name.rstrip('/')}")
    ]
    assert not elsewhere


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_link_into_a_document_leads_to_a_heading(document: Path) -> None:
    lost = []
    for target, anchor in _ANCHOR.findall(document.read_text()):
        there = document.parent / target if target else document
        if there.suffix == ".md" and anchor not in anchors(there.read_text()):
            lost.append(f"{target}#{anchor}")
    assert not lost


def anchors(text: str) -> set[str]:
    """What the headings of a document are linked by, as code hosts make it of them."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), flags=re.MULTILINE
    )
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def documents_and_docstrings() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        yield document.relative_to(ROOT).as_posix(), document.read_text()
    for module in (*ROOT.glob("src/**/*.py"), *ROOT.glob("sdk/src/**/*.py"), *ROOT.glob("contrib/*/src/**/*.py")):
        for node in ast.walk(ast.parse(module.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield module.relative_to(ROOT).as_posix(), ast.get_docstring(node) or ""


def test_every_module_that_is_named_is_there() -> None:
    modules = {f"/{path.relative_to(ROOT).as_posix()}" for top in _OURS for path in (ROOT / top).rglob("*.py")}
    lost = {
        (where, name)
        for where, text in documents_and_docstrings()
        for name in re.findall(r"`((?:[\w.-]+/)*\w+\.py)`", text)
        if name not in _OF_OTHERS and not any(module.endswith(f"/{name}") for module in modules)
    }
    assert not lost


def test_the_reading_order_has_six_stations() -> None:
    text = (ROOT / "docs" / "reading-order.md").read_text()
    assert len(re.findall(r"^\d+\. ", text, flags=re.MULTILINE)) == 6
    assert len(links(ROOT / "docs" / "reading-order.md")) >= 6

"""Every finding there is stands in docs/audit.md with its severity, and nothing else does."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from assess_registry.audit.checks import CHECKS
from assess_registry.audit.closure import NAME as CLOSURE
from assess_registry.audit.context import Context
from assess_registry.audit.dependencies import NAME as DEPENDENCIES
from assess_registry.audit.examining import examination
from assess_registry.audit.finding_ids import DEPENDENCY, KNOWN, OPEN
from assess_registry.audit.policy import STRUCTURE
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.config.policy import INCOMPLETE
from tests.support.examining import subject_of
from tests.support.wheels import WheelBuilder

ROOT = Path(__file__).parents[3]
AUDIT = ROOT / "src" / "assess_registry" / "audit"
DOCUMENT = (ROOT / "docs" / "audit.md").read_text()
ROW = re.compile(r"^\| `([a-z0-9*-]+)` \| (.+?) \|", re.MULTILINE)
MADE_BY = ("Finding", "Kind", "Refused")
HANDED_ON = ("kind", "kind.id", "judged.id", "ENVIRONMENT.id", "issue.id")
"""Ids that are spelled where these come from: in a call of `_finding`, a `Kind`, a `Refused`, by strict inspection."""


@functools.cache
def documented() -> dict[str, str]:
    return dict(ROW.findall(DOCUMENT))


@functools.cache
def found() -> tuple[tuple[str, str], ...]:
    """Id and severity, empty when computed, of every finding that the code makes."""
    return tuple(_found())


def _found() -> Iterator[tuple[str, str]]:
    for path in sorted(AUDIT.rglob("*.py")):
        tree = ast.parse(path.read_text())
        constants: dict[str, ast.expr] = {"INCOMPLETE": ast.Constant(INCOMPLETE)}
        constants |= {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            given = {each.arg: each.value for each in node.keywords}
            if node.func.id in MADE_BY and "id" in given:
                pair = given["id"], given.get("severity")
            elif node.func.id == "_finding" and len(node.args) >= 3:
                pair = node.args[0], node.args[1]
            else:
                continue
            kind = text(constants.get(pair[0].id, pair[0]) if isinstance(pair[0], ast.Name) else pair[0])
            if kind:
                yield kind, text(pair[1])
            else:
                assert ast.unparse(pair[0]) in HANDED_ON, f"{path}:{node.lineno}: nobody can tell which id this is"


def text(node: ast.expr | None) -> str:
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=[ast.Constant(value=str(value)), *_]):
            return f"{value}*"
    return ""


def test_every_finding_is_documented_and_every_documented_one_exists() -> None:
    assert {kind for kind, _ in found()} == documented().keys()


def test_a_finding_that_is_declared_nowhere_is_kept_and_never_ends_in_approved() -> None:
    def said(kind: str) -> Examination:
        class Check:
            NAME = "size"

            def examine(self, subject: Subject, context: Context) -> Examination:
                return Examination(check="size", findings=(finding,))

        finding = Finding(id=kind, severity="info", entry="", message="m", rule="r")
        return examination(Check(), subject_of(WheelBuilder()), Context())

    assert [each.id for each in said("wheel-too-lagre").findings] == ["wheel-too-lagre"]
    assert said("wheel-too-lagre").incomplete == ("its findings wheel-too-lagre are declared nowhere: report this",)
    for declared in ("wheel-too-large", "bandit-b999", "secret-new", "dependency-native-code"):
        assert said(declared).incomplete == ()


def test_every_documented_finding_can_be_accepted() -> None:
    closed = {kind for kind in documented() if not kind.endswith("*")}
    assert set(KNOWN) == closed
    assert {kind.removesuffix("*") for kind in documented() if kind.endswith("*")} == {*OPEN, DEPENDENCY}


def test_severities_are_those_of_the_code() -> None:
    wrong = [pair for pair in found() if pair[1] and f"`{pair[1]}`" not in documented()[pair[0]]]
    assert not wrong
    assert sum(1 for _, severity in found() if severity) > 20


def test_every_check_has_its_row() -> None:
    rows = re.findall(r"^\| \[`([a-z]+)`\]", DOCUMENT, re.MULTILINE)
    assert rows == [STRUCTURE, CLOSURE, *(check.NAME for check in CHECKS), DEPENDENCIES]


def test_every_check_has_its_section() -> None:
    headings = " ".join(re.findall(r"^## .*$", DOCUMENT, re.MULTILINE))
    assert [check.NAME for check in CHECKS if f"`{check.NAME}`" not in headings] == []

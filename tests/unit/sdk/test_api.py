"""Which plugin API a plugin is served, asked with the SDK's own reading of specifiers and with `packaging`'s."""

from itertools import product
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from assess_plugin import API_VERSION
from assess_plugin.api import ApiError, served_api
from assess_plugin.models import API_VERSIONS
from assess_plugin.testing import load_manifest
from assess_plugin.testing.specifier import admits

VERSIONS = ("0.9", "1.0", "1.1", "1.2", "1.10", "2.0")
OPERATORS = ("==", "!=", "<=", ">=", "<", ">", "~=")
CLAUSES = [f"{operator}{number}" for operator, number in product(OPERATORS, ("1.0", "1.1", "2.0", "1.0.1"))]
CLAUSES += ["==1.*", "!=1.*", "==1.1.*", "!=1.0.*", ">=1", "==1", "<2", "<=1.0.0", "== 1.0", " >=1.0 "]


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_admits_what_packaging_says(clause: str) -> None:
    assert [admits(clause, each) for each in VERSIONS] == [SpecifierSet(clause).contains(each) for each in VERSIONS]


def test_all_clauses_have_to_agree() -> None:
    for one, other in product(CLAUSES, CLAUSES):
        both = f"{one},{other}"
        assert [admits(both, each) for each in VERSIONS] == [SpecifierSet(both).contains(each) for each in VERSIONS]


@pytest.mark.parametrize(
    "text", ["", "1.0", "=1.0", "===1.0", "~=1", ">=1.*", ">=1.0,", ">=1.0rc1", ">=one", ">=\u0661.0"]
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="no version specifier"):
        admits(text, "1.0")


@pytest.mark.parametrize(
    ("wanted", "served"),
    [(">=1.0,<2", "1.0"), ("~=1.0", "1.0"), (">=1.1,<2", "1.1"), ("~=1.1", "1.1"), ("!=1.0", "1.1"), ("==1.*", "1.0")],
)
def test_the_lowest_that_it_admits_is_served(wanted: str, served: str) -> None:
    assert served_api(SpecifierSet(wanted).contains, wanted, has=("1.0", "1.1")) == served


@pytest.mark.parametrize(("wanted", "has"), [(">=1.1,<2", ("1.0",)), (">=2", ("1.0", "1.1")), ("==1.0", ("1.1",))])
def test_what_this_host_does_not_have_is_refused_by_name(wanted: str, has: tuple[str, ...]) -> None:
    with pytest.raises(ApiError) as caught:
        served_api(SpecifierSet(wanted).contains, wanted, has=has)
    assert str(caught.value) == f"needs plugin API {wanted}; this host has {', '.join(has)}"


def test_the_newest_is_the_last() -> None:
    assert API_VERSION == API_VERSIONS[-1] == max(API_VERSIONS)


def manifest(tmp_path: Path, api: str) -> Path:
    path = tmp_path / "assess-plugin.toml"
    path.write_text(f"{api}\n")
    return path


def test_the_kit_serves_what_a_runtime_would(tmp_path: Path) -> None:
    assert load_manifest(manifest(tmp_path, 'api = ">=1.0,<2"')).api == "1.0"
    assert load_manifest(manifest(tmp_path, "")).api == "1.0"


def test_the_kit_refuses_what_it_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match=r"assess-plugin\.toml needs plugin API >=7\.0; this host has .*install an"):
        load_manifest(manifest(tmp_path, 'api = ">=7.0"'))

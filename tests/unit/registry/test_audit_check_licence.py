"""Licences: what METADATA says (PEP 639), what the policy allows, and that a choice is a choice."""

import pytest

from assess_registry.audit.checks import licence
from assess_registry.audit.context import Context
from assess_registry.audit.licences import admits
from tests.support.examining import examined, ids, only, plugin_with, subject_of
from tests.support.wheels import WheelBuilder

ALLOWED = Context(licences=("Apache-2.0", "MIT"))


def plugin(*lines: str, **files: str) -> WheelBuilder:
    return plugin_with("", **files).but(metadata_lines=lines)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Classifier: License :: OSI Approved :: BSD License",),
        ("License: as you like",),
        ("Classifier: Typing :: Typed",),
    ],
)
def test_a_wheel_without_a_licence(lines: tuple[str, ...]) -> None:
    assert only(examined(licence, plugin(*lines)), "licence-missing").severity == "medium"
    assert ids(examined(licence, plugin("License-Expression: MIT"))) == []


@pytest.mark.parametrize("line", ["Classifier: License :: OSI Approved :: MIT License", "License: MIT"])
def test_an_older_field_is_understood_and_said(line: str) -> None:
    found = examined(licence, plugin(line), ALLOWED)
    assert only(found, "licence-by-classifier").severity == "info"
    assert found.facts["licence"] == "MIT"
    assert ids(examined(licence, plugin("License-Expression: MIT"), ALLOWED)) == []


def test_several_classifiers_all_hold() -> None:
    both = [
        f"Classifier: License :: OSI Approved :: {name}"
        for name in ("MIT License", "GNU General Public License v3 (GPLv3)")
    ]
    assert "licence-refused" in ids(examined(licence, plugin(*both), ALLOWED))
    assert "licence-refused" not in ids(examined(licence, plugin(both[0]), ALLOWED))


def test_a_licence_that_the_policy_does_not_allow() -> None:
    found = examined(licence, plugin("License-Expression: GPL-3.0-only"), ALLOWED)
    assert "GPL-3.0-only" in only(found, "licence-refused").message
    assert ids(examined(licence, plugin("License-Expression: MIT"), ALLOWED)) == []
    assert ids(examined(licence, plugin("License-Expression: GPL-3.0-only"), Context())) == []


@pytest.mark.parametrize("place", ["licenses/LICENSE", "LICENSE"])
def test_a_licence_file_that_is_not_there(place: str) -> None:
    lines = ("License-Expression: MIT", "License-File: LICENSE")
    bad = plugin(*lines)
    assert only(examined(licence, bad), "licence-file-missing").entry.endswith(".dist-info/licenses/LICENSE")
    good = bad.but(files={**(bad.files or {}), f"{bad.dist_info}/{place}": "text"})
    assert ids(examined(licence, good)) == []


def test_the_licences_of_dependencies() -> None:
    def judged(*lines: str) -> list[str]:
        closure = (WheelBuilder.dependency(metadata_lines=lines),)
        return ids(licence.examine(subject_of(plugin("License-Expression: MIT"), closure=closure), ALLOWED))

    assert judged() == ["dependency-licence-missing"]
    assert judged("License-Expression: GPL-3.0-only") == ["dependency-licence-refused"]
    assert judged("License-Expression: MIT") == []


@pytest.mark.parametrize(
    ("expression", "good"),
    [
        ("MIT", True),
        ("mit", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only AND BSD-3-Clause", True),
        ("(MIT OR GPL-3.0-only) AND BSD-3-Clause", False),
        ("(MIT OR GPL-3.0-only) AND Apache-2.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("GPL-2.0-only WITH Font-exception-2.0", False),
        ("", False),
    ],
)
def test_expressions(expression: str, good: bool) -> None:
    assert admits(("MIT", "Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"), expression) is good

"""An advisory about a dependency: exactly the plugins whose closure has the affected version, however far down."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_registry.cli import main
from tests.support.osv import about_others
from tests.support.registry_tree import STAND_INS, RegistryTree, make_registry_tree
from tests.support.wheels import WheelBuilder, demo_by_another_name

LICENSED = ("License-Expression: MIT",)
TODAY = f"{datetime.now(UTC):%Y-%m-%d}T00:00:00Z"


def lib(name: str, version: str, *requires: str) -> WheelBuilder:
    return WheelBuilder.dependency(name, version, requires=requires, metadata_lines=LICENSED)


LIBRARIES = (lib("upper", "1.0", "middle"), lib("middle", "1.0", "deep<2"), lib("deep", "1.0"), lib("deep", "2.0"))
PLUGINS = {
    "far-above": ("upper",),
    "on-old-pythons": ('deep<2; python_version < "3.12"',),
    "on-the-next": ("deep>=2",),
    "beside-it": (),
}
"""Plugin -> what it requires; the first two have deep 1.0 in their closure."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    closure = {each.filename: each.build() for each in (*STAND_INS, *LIBRARIES)}
    builders = [demo_by_another_name(name, *requires, metadata_lines=LICENSED) for name, requires in PLUGINS.items()]
    made = make_registry_tree(tmp_path_factory.mktemp("advisories"), plugins=[], closure=closure)
    for builder in builders:
        made.publish(builder.filename, builder.build())
    return made


def affected(tree: RegistryTree, place: Path, capsys: pytest.CaptureFixture[str], **events: str) -> dict[str, set[str]]:
    """Plugin -> the findings that an advisory about `deep` adds."""
    ranges = [{"type": "ECOSYSTEM", "events": [{name: version} for name, version in events.items()]}]
    about = {"package": {"ecosystem": "PyPI", "name": "deep"}, "ranges": ranges}
    advisory: dict[str, Any] = {"id": "TEST-2026-1", "modified": TODAY, "summary": "it leaks", "affected": [about]}
    (place / "export.json").write_text(json.dumps([*about_others(), advisory]))
    arguments = ["reaudit", "--index", str(tree.root), "--advisories", str(place / "export.json"), "--output", "json"]
    code = main(arguments)
    document = json.loads(capsys.readouterr().out)["reaudit"]
    found = {each["project"]: {one["id"] for one in each["findings"]} for each in document["affected"]}
    assert (code == 4) == bool(found)
    assert document["audited"] == len(PLUGINS)
    return {name: ids for name, ids in found.items() if "known-vulnerability" in ids}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ({"introduced": "0", "fixed": "2.0"}, {"far-above", "on-old-pythons"}),
        ({"introduced": "2.0"}, {"on-the-next"}),
    ],
    ids=["the old", "the new"],
)
def test_exactly_the_dependants_of_the_affected_version_are_found(
    events: dict[str, str],
    expected: set[str],
    tree: RegistryTree,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert set(affected(tree, tmp_path, capsys, **events)) == expected

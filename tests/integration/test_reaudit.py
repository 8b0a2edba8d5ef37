"""A nightly look at everything that is published: a new advisory finds exactly the releases that it is about."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_registry.audit.values import Examination, Report
from assess_registry.cli.app import main
from assess_registry.names import ProjectName
from assess_registry.publish.after import revoke
from tests.support.osv import about_others
from tests.support.registry_tree import STAND_INS, RegistryTree, found_nothing, make_registry_tree
from tests.support.wheels import WheelBuilder, demo_by_another_name

LICENSED = ("License-Expression: MIT",)
LIBRARY = WheelBuilder.dependency("somelib", "1.0.0", metadata_lines=LICENSED)
TODAY = datetime.now(UTC)


def plugin(name: str, *requires: str) -> WheelBuilder:
    return demo_by_another_name(name, *requires, metadata_lines=LICENSED)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    closure = {each.filename: each.build() for each in (*STAND_INS, LIBRARY)}
    made = make_registry_tree(tmp_path_factory.mktemp("reaudit"), plugins=[], closure=closure)
    for builder in (plugin("with-library", "somelib==1.0.0"), plugin("without-library")):
        made.publish(builder.filename, builder.build())
    return made


def advisory(name: str, **more: Any) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
    package = {"ecosystem": "PyPI", "name": name}
    return {
        "id": "TEST-2026-9999",
        "modified": TODAY.strftime("%Y-%m-%dT00:00:00Z"),
        "summary": "it sends everything to strangers",
        "affected": [{"package": package, "ranges": ranges}],
        **more,
    }


def reaudited(
    tree: RegistryTree, place: Path, capsys: pytest.CaptureFixture[str], *advisories: dict[str, Any]
) -> tuple[int, Any]:
    export = place / "export.json"
    export.write_text(json.dumps([*about_others(), *advisories]))
    code = main(["reaudit", "--index", str(tree.root), "--advisories", str(export), "--reports", str(place / "reports"),
                 "--output", "json"])  # fmt: skip
    return code, json.loads(capsys.readouterr().out)["reaudit"]


def names(document: Any) -> dict[str, list[str]]:
    return {each["project"]: sorted({finding["id"] for finding in each["findings"]}) for each in document["affected"]}


def test_an_advisory_finds_its_dependants_and_nobody_else(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What else was found, before there was an advisory, is the control."""
    code, quiet = reaudited(tree, tmp_path, capsys, advisory("somelib-of-others"))
    before = names(quiet)
    assert quiet["audited"] == 2
    assert all("known-vulnerability" not in found for found in before.values())
    assert code == (4 if before else 0)
    code, document = reaudited(tree, tmp_path, capsys, advisory("somelib"))
    assert code == 4
    assert {name for name, found in names(document).items() if "known-vulnerability" in found} == {"with-library"}
    (affected,) = [each for each in document["affected"] if each["project"] == "with-library"]
    heading = (tmp_path / "reports" / f"{affected['sha256']}.md").read_text().splitlines()[0]
    assert heading.endswith(f": with_library-1.0.0-py3-none-any.whl sha256:{affected['sha256']}")


def test_without_advisories_nobody_is_told_that_all_is_well(
    tree: RegistryTree, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["reaudit", "--index", str(tree.root), "--output", "json"])
    captured = capsys.readouterr()
    document = json.loads(captured.out)["reaudit"]
    assert code != 0
    assert any("no advisories were imported" in reason for reason in document["not_looked_at"])
    assert "not looked at: vulnerabilities: no advisories were imported" in captured.err


def test_what_was_changed_on_disk_is_refused(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tree.copy(tmp_path / "copy")
    other = plugin("without-library").but(metadata_lines=(*LICENSED, "Keywords: other"))
    copy.path(other.filename).write_bytes(other.build())
    assert main(["reaudit", "--index", str(copy.root)]) == 5
    assert "refused at step 'file'" in capsys.readouterr().err


OLD_SDK = WheelBuilder.dependency(
    "assess-plugin", "1.0.0", files={"assess_plugin/__init__.py": "import subprocess\n"}, metadata_lines=LICENSED
)


@pytest.mark.parametrize("said", ["the runtime's own copy", ""])
def test_what_was_the_runtimes_own_copy_when_it_was_audited_is_no_news(
    said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After an upgrade no closure holds the copy of today, and nobody's plugin has become another by that."""
    data = OLD_SDK.build()
    facts = {"filename": OLD_SDK.filename, "sha256": hashlib.sha256(data).hexdigest()} | (
        {"same_as": said} if said else {}
    )

    def judged(*given: Any, **terms: Any) -> Report:
        seen = Examination(check="dependencies", facts={"wheels": [facts]})
        return replace(found_nothing(*given, **terms), examinations=(seen,))

    made = make_registry_tree(tmp_path / "registry", plugins=[], closure={OLD_SDK.filename: data})
    builder = plugin("with-old-sdk")
    submitted = made.submit({builder.filename: builder.build()}, judge=judged)
    made.approve(*submitted)
    made.release(*submitted)
    code, document = reaudited(made, tmp_path, capsys)
    assert names(document) == ({} if said else {"with-old-sdk": ["dependency-process-outside-host"]})
    assert code == (0 if said else 4)
    # a vulnerability of it is news in any case
    code, document = reaudited(made, tmp_path, capsys, advisory("assess-plugin"))
    assert code == 4
    assert "known-vulnerability" in names(document)["with-old-sdk"]


def test_what_was_revoked_is_gone_already(
    tree: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tree.copy(tmp_path / "copy")
    keys = copy.everybody.release_keys
    revoke(
        copy.root, ProjectName("with-library"), "1.0.0", reason="bad", severity="high", keys=keys, now=datetime.now(UTC)
    )
    _, document = reaudited(copy, tmp_path, capsys, advisory("somelib"))
    assert document["audited"] == 1
    assert "with-library" not in names(document)

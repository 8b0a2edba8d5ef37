"""Projects that are archived, deprecated or quarantined: what clients and publishers make of it, and back again."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from assess_core.cli import main
from assess_core.delivery.values import Action
from assess_registry.catalogue import Marker
from assess_registry.client import Registry, Target, fetch, resolve, verify
from assess_registry.errors import ConfigError, TrustError
from assess_registry.names import ProjectName
from assess_registry.publish import publish
from assess_registry.publish.garbage import collect_garbage
from assess_registry.publish.mark import Marked, mark
from assess_registry.publish.signed import signed_by
from tests.integration.test_runtime_trust import make_place
from tests.support.kills import steps, stride
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import demo_plugin_wheel
from tests.support.word_reader import WordReader, page_problems

DEMO = ProjectName("demo-plugin")


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    """A registry in which demo-plugin 1.0.0 is published."""
    return copy_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel()])


def do_mark(
    tree: RegistryTree, marker: Marker | None, *, project: str = DEMO, reason: str = "its key may be stolen"
) -> Marked:
    keys, now = tree.everybody.release_keys, datetime.now(UTC)
    return mark(tree.root, ProjectName(project), marker, reason=reason, keys=keys, now=now)


def page(tree: RegistryTree, project: str = DEMO) -> tuple[Any, list[str]]:
    document = json.loads(tree.page(project).read_bytes())
    return document.get("project-status"), [file["filename"] for file in document["files"]]


def installs(tree: RegistryTree, memory: Path) -> str:
    with Registry(tree.approved_config(memory)) as registry:
        resolved = resolve(Requirement("demo-plugin"), registry=registry, target=Target.running())
        return verify(fetch(resolved, registry=registry), registry=registry, target=Target.running()).inspected.version


WHEEL, _ = demo_plugin_wheel()
SAID = "its key may be stolen"


def test_nobody_gets_anything_of_a_quarantined_project_until_it_is_taken_back(
    tree: RegistryTree, tmp_path: Path
) -> None:
    assert installs(tree, tmp_path / "memory") == "1.0.0"
    do_mark(tree, "quarantined")
    assert page(tree) == ({"status": "quarantined", "reason": SAID}, [])
    assert b"demo_plugin-" not in (tree.page().parent / "index.html").read_bytes()
    assert json.loads((tree.root / "plugins/demo-plugin.json").read_bytes())["plugins"] == []
    with pytest.raises(TrustError, match=SAID) as refused:
        installs(tree, tmp_path / "memory")
    assert refused.value.step == "status"
    assert do_mark(tree, "quarantined").written == ()
    do_mark(tree, None)
    assert page(tree) == (None, [WHEEL])
    assert installs(tree, tmp_path / "memory") == "1.0.0"


def test_what_was_installed_before_is_vouched_for_in_quarantine(tree: RegistryTree, tmp_path: Path) -> None:
    with Registry(tree.approved_config(tmp_path / "memory")) as registry:
        resolved = resolve(Requirement("demo-plugin"), registry=registry, target=Target.running())
        fetched = fetch(resolved, registry=registry)
    do_mark(tree, "quarantined")
    with Registry(tree.approved_config(tmp_path / "memory")) as registry:
        assert verify(fetched, registry=registry, target=Target.running()).inspected.version == "1.0.0"


@pytest.mark.parametrize(("marker", "is_refused"), [("quarantined", True), ("archived", True), ("deprecated", False)])
def test_who_publishes_is_held_to_it(marker: Marker, is_refused: bool, tree: RegistryTree, tmp_path: Path) -> None:
    do_mark(tree, marker)
    newer = demo_plugin_wheel("1.1.0")
    if is_refused:
        with pytest.raises(TrustError, match=f"the project is {marker}: {SAID}") as refused:
            tree.publish(*newer)
        assert (refused.value.step, refused.value.thing) == ("status", DEMO)
        assert not tree.path(newer[0]).exists()
        do_mark(tree, None)
    tree.publish(*newer)
    assert installs(tree, tmp_path / "memory") == "1.1.0"


def test_an_archived_project_is_still_installed(tree: RegistryTree, tmp_path: Path) -> None:
    do_mark(tree, "archived", reason="nobody maintains it")
    assert page(tree) == ({"status": "archived", "reason": "nobody maintains it"}, [WHEEL])
    assert installs(tree, tmp_path / "memory") == "1.0.0"


def test_a_dependency_in_quarantine_is_on_no_page_and_in_no_new_closure(tree: RegistryTree) -> None:
    do_mark(tree, "quarantined", project="pluggy")
    assert page(tree, "pluggy") == ({"status": "quarantined", "reason": SAID}, [])
    with pytest.raises(TrustError, match="quarantined") as refused:
        tree.publish(*demo_plugin_wheel("1.1.0"))
    assert refused.value.thing == "pluggy"
    assert page(tree, "pluggy")[1] == []
    do_mark(tree, None, project="pluggy")
    tree.publish(*demo_plugin_wheel("1.1.0"))
    assert len(page(tree, "pluggy")[1]) == 1


def test_yanked_and_revoked_stay_so_through_a_quarantine(tree: RegistryTree) -> None:
    tree.publish(*demo_plugin_wheel("1.1.0"))
    before = tree.page().read_bytes()
    do_mark(tree, "quarantined")
    do_mark(tree, None)
    assert tree.page().read_bytes() == before


@pytest.mark.parametrize("quarantined", [True, False])
def test_what_is_quarantined_is_not_collected(quarantined: bool, tmp_path: Path) -> None:
    tree = copy_registry_tree(tmp_path / "registry", plugins=[])
    filename, data = demo_plugin_wheel()
    (tmp_path / filename).write_bytes(data)
    publish(tree.root, tmp_path / filename, key=tree.key, closure=tree.closure)  # on no signed page, but on pip's
    if quarantined:
        do_mark(tree, "quarantined")
    else:  # the control: without the pages nobody names it
        shutil.rmtree(tree.root / "simple" / DEMO)
    collect_garbage(tree.root, keep_s=0, now=datetime.now(UTC) + timedelta(days=1))
    assert tree.path(filename).exists() is quarantined
    if quarantined:
        do_mark(tree, None)
        assert page(tree)[1] == [filename]


def test_what_a_key_signed_is_not_served_while_it_is_quarantined(tree: RegistryTree) -> None:
    def served() -> set[str]:
        things = signed_by(tree.root, tree.key.public.id, now=datetime.now(UTC))
        return {each.served for each in things if each.kind == "wheel"}

    assert served() == {"yes"}
    do_mark(tree, "quarantined")
    assert served() == {"no: quarantined"}


def test_only_what_is_there_is_marked_and_only_for_a_reason(tree: RegistryTree) -> None:
    with pytest.raises(ConfigError, match="nothing of it is published"):
        do_mark(tree, "archived", project="other")
    with pytest.raises(ConfigError, match="--reason"):
        do_mark(tree, "archived", reason="two\nlines")
    assert page(tree) == (None, [WHEEL])


@pytest.mark.parametrize("marker", ["quarantined", None])
@pytest.mark.timeout(1800)  # many processes, one after another
def test_killed_anywhere_nothing_quarantined_is_offered_and_the_same_again_finishes(
    marker: Marker | None, tree: RegistryTree, tmp_path: Path
) -> None:
    if marker is None:
        do_mark(tree, "quarantined")
    image = tmp_path / "image"
    shutil.copytree(tree.root, image)

    def restore() -> None:
        shutil.rmtree(tree.root)
        shutil.copytree(image, tree.root)

    seen = set()
    for number in steps(lambda: do_mark(tree, marker), restore, every=stride(5)):
        status = WordReader(tree.root, tmp_path / f"memory-{number}").see().catalogue.status
        assert page_problems(tree.root) == []
        if status is not None:  # from then on no page may offer anything
            assert page(tree)[1] == []
        seen.add(status is not None)
        do_mark(tree, marker)
        assert page(tree)[1] == ([] if marker else [WHEEL])
    assert seen == {True, False}


def test_a_runtime_runs_on_with_what_it_has_of_a_quarantined_project_and_is_told(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    assert place.sync().action is Action.INSTALLED
    place.tree.publish(*demo_plugin_wheel("1.1.0"))
    do_mark(place.tree, "quarantined")
    line = place.sync()
    assert (line.action, line.previous) == (Action.REFUSED, "1.0.0")
    assert line.refusal is not None
    assert line.refusal.step == "status"
    run = place.run()
    assert len(run.results) > 0
    assert SAID in run.shortcomings()[0]  # not a result that could pass for one without a question
    assert main(["run", "--config", str(tmp_path / "assess.toml")]) == 5
    assert main(["run", "--offline", "--fail-on", "none", "--config", str(tmp_path / "assess.toml")]) == 0
    shutil.rmtree(place.state)
    assert place.refused() == "status"  # where nothing is installed yet
    do_mark(place.tree, None)
    assert place.sync().version == "1.1.0"
    assert place.run().shortcomings() == ()

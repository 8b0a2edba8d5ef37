"""Releases after they were published: yanked, revoked, collected, and found by the key that signed them."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assess_registry.audit.values import Verdict
from assess_registry.cli.app import main
from assess_registry.config import load_config
from assess_registry.errors import ConfigError, TrustError
from assess_registry.keys import KeyId, generate_key
from assess_registry.names import ProjectName
from assess_registry.publish import publish
from assess_registry.publish.after import Changed, revoke, yank
from assess_registry.publish.garbage import collect_garbage
from assess_registry.publish.signed import signed_by
from tests.support.kills import steps, stride
from tests.support.registry_tree import RegistryTree, copy_registry_tree, found
from tests.support.wheels import WheelBuilder, demo_plugin_wheel
from tests.support.word_reader import WordReader, listed, page_problems

DEMO = "demo_plugin-1.0.0-py3-none-any.whl"
NEWER = "demo_plugin-1.1.0-py3-none-any.whl"
PROJECT = ProjectName("demo-plugin")


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    """A registry in which demo-plugin 1.0.0 and 1.1.0 are published."""
    return copy_registry_tree(tmp_path / "registry", plugins=[demo_plugin_wheel(), demo_plugin_wheel("1.1.0")])


@pytest.fixture
def reader(tree: RegistryTree, tmp_path: Path) -> WordReader:
    return WordReader(tree.root, tmp_path / "memory")


def do_yank(tree: RegistryTree, version: str = "1.1.0", reason: str | None = "wrong result", **changes: Any) -> Changed:
    keys, now = tree.everybody.release_keys, datetime.now(UTC)
    return yank(tree.root, PROJECT, version, reason=reason, keys=keys, now=now, **changes)


def do_revoke(tree: RegistryTree, project: str = "demo-plugin", version: str = "1.1.0", **changes: Any) -> Changed:
    arguments: dict[str, Any] = {
        "reason": "sends data away",
        "severity": "critical",
        "keys": tree.everybody.release_keys,
        "now": datetime.now(UTC),
    }
    return revoke(tree.root, ProjectName(project), version, **(arguments | changes))


def page(tree: RegistryTree, project: str = "demo-plugin") -> dict[str, Any]:
    document = json.loads(tree.page(project).read_bytes())
    return {file["filename"]: file["yanked"] for file in document["files"]}


def test_a_yanked_release_stays_for_who_pins_it_and_says_why(tree: RegistryTree, reader: WordReader) -> None:
    do_yank(tree)
    seen = reader.see()
    assert seen.versions == ("1.0.0",)
    release = seen.catalogue.release("1.1.0")
    assert release is not None
    assert release.yanked is not None
    assert release.yanked.reason == "wrong result"
    assert page(tree) == {DEMO: False, NEWER: "wrong result"}
    flat = json.loads((tree.root / "plugins/demo-plugin.json").read_bytes())["plugins"]
    assert [entry.get("yanked") for entry in flat] == [None, "wrong result"]
    assert do_yank(tree).written == ()
    do_yank(tree, reason=None)
    assert reader.see().versions == ("1.0.0", "1.1.0")
    assert page(tree) == {DEMO: False, NEWER: False}


def test_the_next_publish_keeps_what_was_yanked_and_revoked(tree: RegistryTree, reader: WordReader) -> None:
    do_yank(tree, "1.0.0")
    do_revoke(tree)
    tree.publish(*demo_plugin_wheel("1.2.0"))
    assert reader.see().versions == ("1.2.0",)
    assert page(tree) == {DEMO: "wrong result", "demo_plugin-1.2.0-py3-none-any.whl": False}


def test_a_revoked_release_is_on_no_page_and_among_the_revocations(tree: RegistryTree, reader: WordReader) -> None:
    changed = do_revoke(tree)
    seen = reader.see()
    assert seen.versions == ("1.0.0",)
    (revoked,) = seen.revocations.wheels
    assert (revoked.sha256, revoked.severity) == (changed.wheels[NEWER], "critical")
    assert listed(tree.root) == [DEMO]
    assert page_problems(tree.root) == []
    assert NEWER not in (tree.root / "plugins/demo-plugin.json").read_text()
    assert do_revoke(tree, reason="another").written == ()
    with pytest.raises(ConfigError, match="for ever"):
        do_yank(tree)


def test_what_is_revoked_can_be_revoked_with_kill_and_then_stays_so(tree: RegistryTree, reader: WordReader) -> None:
    do_revoke(tree)
    assert do_revoke(tree, severity="high", reason="another").written == ()
    do_revoke(tree, severity="kill", reason="it reads the keys, too")
    seen = reader.see()
    (revoked,), release = seen.revocations.wheels, seen.catalogue.release("1.1.0")
    assert (revoked.severity, revoked.reason) == ("kill", "it reads the keys, too")
    assert release is not None
    assert release.revoked is not None
    assert (release.revoked.severity, release.revoked.reason) == ("kill", "it reads the keys, too")
    assert do_revoke(tree, severity="low").written == do_revoke(tree, severity="kill").written == ()


def test_a_dependency_is_revoked_by_its_digest(tree: RegistryTree, reader: WordReader) -> None:
    changed = do_revoke(tree, "pluggy", "1.6.0")
    assert {each.sha256 for each in reader.see().revocations.wheels} == set(changed.wheels.values())
    assert listed(tree.root, "pluggy") == []


def test_nothing_new_is_submitted_or_published_with_what_is_revoked(tree: RegistryTree, reader: WordReader) -> None:
    filename, data = demo_plugin_wheel("1.2.0")
    (made,) = tree.submit({filename: data})
    tree.approve(made)
    do_revoke(tree, "pluggy", "1.6.0")
    for attempt in (lambda: tree.submit({filename: data}), lambda: tree.release(made)):
        with pytest.raises(TrustError, match="sends data away") as refused:
            attempt()
        assert refused.value.step == "revoked"
    other = WheelBuilder.dependency("pluggy", "1.6.1")  # the control
    (tree.closure / other.filename).write_bytes(other.build())
    tree.publish(filename, data)
    assert listed(tree.root, "pluggy") == [other.filename]
    assert reader.see().catalogue.release("1.2.0") is not None


def test_revoked_as_it_was_approved_whatever_lies_there_now(tree: RegistryTree, reader: WordReader) -> None:
    approved = tree.catalogue().releases[1].wheels[0].sha256
    path = tree.path(NEWER)
    whole = path.read_bytes()
    path.write_bytes(whole + b"x")
    do_revoke(tree)
    path.write_bytes(whole)
    assert {each.sha256 for each in reader.see().revocations.wheels} == {approved}


@pytest.mark.parametrize("change", [lambda tree: do_yank(tree, "9.9"), lambda tree: do_revoke(tree, version="9.9")])
def test_what_is_not_there_is_neither_yanked_nor_revoked(
    tree: RegistryTree, change: Callable[[RegistryTree], Changed]
) -> None:
    with pytest.raises(ConfigError, match=r"no such release; there are: 1\.0\.0, 1\.1\.0|nothing of it is published"):
        change(tree)


def test_a_reason_is_one_line_of_text(tree: RegistryTree) -> None:
    for bad in ("", "two\nlines", "\x1b[2J"):
        with pytest.raises(ConfigError, match="reason"):
            do_yank(tree, reason=bad)
        with pytest.raises(ConfigError, match="reason"):
            do_revoke(tree, reason=bad)


@pytest.mark.timeout(1800)  # a hundred processes, one after another
def test_killed_before_any_call_it_is_revoked_or_not_and_the_next_run_finishes(
    tree: RegistryTree, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    shutil.copytree(tree.root, image)

    def restore() -> None:
        shutil.rmtree(tree.root)
        shutil.copytree(image, tree.root)

    seen = []
    for number in steps(lambda: do_revoke(tree), restore, every=stride(4)):
        seen.append(WordReader(tree.root, tmp_path / f"memory-{number}").see().versions)
        assert page_problems(tree.root) == []
        do_revoke(tree)
        assert WordReader(tree.root, tmp_path / f"memory-{number}").see().versions == ("1.0.0",)
    assert len(seen) > 10
    assert set(seen) == {("1.0.0", "1.1.0"), ("1.0.0",)}
    assert seen == sorted(seen, reverse=True)


# --- publishers' keys after a time --------------------------------------------------------------------------------


def end_publishers_key(tree: RegistryTree, at: datetime, revoked: str = "") -> None:
    config = load_config(tree.root)
    (publisher,) = config.publishers
    ended = replace(publisher.keys[0], valid_until=at, revoked=revoked)
    tree.configure(replace(config, publishers=(replace(publisher, keys=(ended,)),)))


def sign_control(tree: RegistryTree) -> None:
    """Whatever signs the registry's word again signs what `registry.toml` says."""
    keys, now = tree.everybody.release_keys, datetime.now(UTC)
    yank(tree.root, PROJECT, "1.0.0", reason=None, keys=keys, now=now, accept_registry_changes=True)


def test_releases_signed_while_a_key_was_valid_stay_and_later_ones_do_not_come(
    tree: RegistryTree, reader: WordReader
) -> None:
    end_publishers_key(tree, datetime.now(UTC), "laptop stolen")
    sign_control(tree)
    assert reader.see().versions == ("1.0.0", "1.1.0")
    with pytest.raises(TrustError, match="laptop stolen"):
        tree.publish(*demo_plugin_wheel("1.2.0"))
    new = generate_key()
    tree.publish(*demo_plugin_wheel("1.2.0"), key=new)  # the control: another key
    assert reader.see().versions == ("1.0.0", "1.1.0", "1.2.0")


def test_a_key_revoked_since_before_a_release_takes_it_away(tree: RegistryTree, reader: WordReader) -> None:
    published_at = tree.catalogue().releases[0].published_at
    end_publishers_key(tree, published_at - timedelta(seconds=1), "stolen last week")
    sign_control(tree)
    with pytest.raises(TrustError, match="stolen last week"):
        reader.see()


# --- what did this key sign? --------------------------------------------------------------------------------------


def by(tree: RegistryTree, key: KeyId) -> set[tuple[str, str, str]]:
    things = signed_by(tree.root, key, now=datetime.now(UTC))
    return {(each.kind, each.path.rpartition("/")[2], each.served) for each in things}


def test_everything_a_publishers_key_signed_and_where_it_is_still_served(tree: RegistryTree) -> None:
    do_yank(tree, "1.0.0")
    do_revoke(tree)
    tree.publish(*demo_plugin_wheel("1.2.0"))
    alone = WheelBuilder(version="0.5.0")
    (tree.directory / alone.filename).write_bytes(alone.build())
    publish(tree.root, tree.directory / alone.filename, key=tree.key, closure=tree.closure)
    assert by(tree, tree.key.public.id) == {
        ("lock", "pylock.toml", "pinned only"),
        ("lock", "pylock.toml", "no: revoked"),
        ("lock", "pylock.toml", "yes"),
        ("wheel", alone.filename, "pages only"),
        ("wheel", DEMO, "pinned only"),
        ("wheel", NEWER, "no: revoked"),
        ("wheel", "demo_plugin-1.2.0-py3-none-any.whl", "yes"),
    }
    assert by(tree, generate_key().public.id) == set()


def test_what_a_key_signed_and_waits_is_signed_too(tree: RegistryTree) -> None:
    waiting = WheelBuilder(version="1.2.0")
    tree.submit({waiting.filename: waiting.build()})
    found = by(tree, tree.key.public.id)
    assert {("wheel", waiting.filename, "submission"), ("lock", "pylock.toml", "submission")} <= found
    assert ("wheel", DEMO, "yes") in found  # the control: what was published before


def test_what_clients_refuse_since_a_key_was_revoked_is_not_served(tree: RegistryTree) -> None:
    assert ("wheel", DEMO, "yes") in by(tree, tree.key.public.id)
    config = load_config(tree.root)
    (publisher,) = config.publishers
    keys = tuple(replace(timed, valid_until=timed.valid_from, revoked="stolen") for timed in publisher.keys)
    tree.configure(replace(config, publishers=(replace(publisher, keys=keys),)))
    do_yank(tree, "1.0.0", accept_registry_changes=True)
    assert ("wheel", DEMO, "no: refused at step publisher") in by(tree, tree.key.public.id)


def test_everything_a_reviewer_and_the_online_key_signed(tree: RegistryTree) -> None:
    rita = tree.everybody.reviewers["rita"].public.id
    assert {(kind, name) for kind, name, _ in by(tree, rita) if kind == "verdict"} == {
        ("verdict", f"{DEMO}.verdict.json"),
        ("verdict", f"{NEWER}.verdict.json"),
    }
    assert by(tree, tree.everybody.reviewers["ruben"].public.id) == set()
    audit = by(tree, tree.everybody.audit.public.id)
    assert audit == {("audit", "audit.dsse.json", "yes")}
    online = by(tree, tree.everybody.online.public.id)
    assert ("metadata", "timestamp.json", "yes") in online
    assert ("metadata", "1.snapshot.json", "old") in online


@pytest.mark.parametrize("version", ["not-a-version", "", "1.0.0/..", "x" * 4000])
def test_what_is_no_version_is_a_slip_of_who_types(tree: RegistryTree, version: str) -> None:
    with pytest.raises(ConfigError, match="no version"):
        do_yank(tree, version)
    with pytest.raises(ConfigError, match="no version"):
        do_revoke(tree, version=version)
    do_revoke(tree, version="1.0.0")  # the control


# --- gc -----------------------------------------------------------------------------------------------------------

LATER = timedelta(days=1)


def collect(tree: RegistryTree) -> tuple[str, ...]:
    return collect_garbage(tree.root, keep_s=0, now=datetime.now(UTC) + LATER)


def test_what_is_named_stays_and_what_is_done_goes(tree: RegistryTree, reader: WordReader) -> None:
    waiting, rejected = WheelBuilder(version="1.2.0"), WheelBuilder(version="1.3.0")
    (kept,) = tree.submit({waiting.filename: waiting.build()})
    (refused,) = tree.submit({rejected.filename: rejected.build()}, judge=found(Verdict.REJECTED))
    left = tree.root / "files/demo-plugin/6.6.6/leftover.whl.metadata"
    left.parent.mkdir()
    left.write_bytes(b"of a killed publish")
    (tree.root / "simple/.tmp-00ff").write_bytes(b"half a page")
    do_yank(tree, "1.0.0")
    do_revoke(tree)
    before = {path for path in (tree.root / "files").rglob("*") if path.is_file()}
    removed = collect(tree)
    assert "files/demo-plugin/6.6.6/leftover.whl.metadata" in removed
    assert "simple/.tmp-00ff" in removed
    assert {path for path in (tree.root / "files").rglob("*") if path.is_file()} == before - {left}
    assert not left.parent.exists()
    assert [path.name for path in (tree.root / ".submissions").iterdir()] == [kept.submission.sha256]
    assert f".submissions/{refused.submission.sha256}" in removed
    assert any(path.startswith("metadata/") for path in removed)
    assert reader.see().versions == ()
    assert page_problems(tree.root) == []
    assert collect(tree) == ()


def test_what_is_young_stays(tree: RegistryTree) -> None:
    left = tree.root / "files/demo-plugin/1.0.0/leftover.txt"
    left.write_bytes(b"of a killed publish")
    assert collect_garbage(tree.root, keep_s=3600, now=datetime.now(UTC)) == ()
    os.utime(left, (0, 0))
    assert collect_garbage(tree.root, keep_s=3600, now=datetime.now(UTC)) == ("files/demo-plugin/1.0.0/leftover.txt",)


def test_nothing_is_removed_from_a_registry_whose_word_was_changed(tree: RegistryTree) -> None:
    left = tree.root / "files/demo-plugin/1.0.0/leftover.txt"
    left.write_bytes(b"x")
    catalogue = max(tree.root.glob("catalog/*.demo-plugin.json"), key=lambda path: path.stat().st_mtime_ns)
    whole = catalogue.read_bytes()
    catalogue.write_bytes(whole + b" ")
    with pytest.raises(TrustError):
        collect(tree)
    assert left.exists()
    catalogue.write_bytes(whole)
    assert "files/demo-plugin/1.0.0/leftover.txt" in collect(tree)


def test_a_link_is_neither_followed_nor_removed(tree: RegistryTree, tmp_path: Path) -> None:
    precious = tmp_path / "elsewhere/1.0/data.txt"
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"precious")
    links = {
        tree.root / "files/evil": tmp_path / "elsewhere",
        tree.root / "files/demo-plugin/7.7.7": precious.parent,
        tree.root / "files/demo-plugin/1.0.0/loop": tree.root / "files/demo-plugin/1.0.0/loop",
        tree.root / ".submissions" / ("0" * 64): tmp_path / "elsewhere",
    }
    for link, target in links.items():
        link.symlink_to(target)
    left = tree.root / "files/demo-plugin/1.0.0/leftover.txt"  # the control
    left.write_bytes(b"x")
    removed = collect(tree)
    assert precious.read_bytes() == b"precious"
    assert all(link.is_symlink() for link in links)
    assert "files/demo-plugin/1.0.0/leftover.txt" in removed
    assert not left.exists()
    assert collect(tree) == ()


def test_what_killed_writers_left_is_looked_for_at_the_root_and_behind_no_link(
    tree: RegistryTree, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (tree.root / "plugins").rename(outside)
    (tree.root / "plugins").symlink_to(outside)
    for left in (outside / ".tmp-00ff", tree.root / ".tmp-00ff"):  # of `plugins.json` the second
        left.write_bytes(b"half a page")
    assert [name for name in collect(tree) if ".tmp-" in name] == [".tmp-00ff"]
    assert (outside / ".tmp-00ff").exists()


@pytest.mark.parametrize("content", [b"[" * 100_000 + b"]" * 100_000, b"\xff", b"{}", b"[" + b"9" * 6000 + b"]"])
def test_a_page_that_is_none_of_ours_stops_it_before_anything_is_removed(tree: RegistryTree, content: bytes) -> None:
    left = tree.root / "files/demo-plugin/1.0.0/leftover.txt"
    left.write_bytes(b"x")
    whole = tree.page().read_bytes()
    tree.page().write_bytes(content)
    with pytest.raises(ConfigError, match="nothing was removed"):
        collect(tree)
    assert left.exists()
    tree.page().write_bytes(whole)
    assert "files/demo-plugin/1.0.0/leftover.txt" in collect(tree)


@pytest.mark.parametrize("name", ["statement.json", "audit.json", "pylock.toml"])
def test_one_submission_that_cannot_be_read_goes_and_stops_no_other(tree: RegistryTree, name: str) -> None:
    waiting, broken = WheelBuilder(version="1.2.0"), WheelBuilder(version="1.3.0")
    (kept,) = tree.submit({waiting.filename: waiting.build()})
    (other,) = tree.submit({broken.filename: broken.build()})
    loop = other.submission.directory / name
    loop.unlink()
    loop.symlink_to(loop)
    assert f".submissions/{other.submission.sha256}" in collect(tree)
    assert [path.name for path in (tree.root / ".submissions").iterdir()] == [kept.submission.sha256]


@pytest.mark.parametrize("days", ["nan", "inf", "-1", "x"])
def test_a_time_to_keep_that_is_none_is_refused(tree: RegistryTree, days: str) -> None:
    assert main(["gc", "--keep-days", days, "--index", str(tree.root)]) == 2
    assert main(["gc", "--keep-days", "1", "--index", str(tree.root)]) == 0

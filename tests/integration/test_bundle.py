"""Air gap: what is exported, carried and imported is what the registry says, or nothing changes at the site."""

import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assess_registry.bundle import SiteKeys, import_bundle
from assess_registry.config import Expiry
from assess_registry.errors import ConfigError, NotPublishedError, RegistryError, TrustError
from assess_registry.keys import generate_key
from assess_registry.publish.after import revoke, yank
from assess_registry.repository import Repository
from assess_registry.repository.ceremony import Changes, add_signature, export, propose, sign_root
from tests.support.air_gap import Gap, SiteHolders
from tests.support.approved_place import PROJECT
from tests.support.kills import killed_before
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import demo_plugin_wheel
from tests.support.word_reader import listed, page_problems

STRIDE = int(os.environ.get("ASSESS_TEST_STRIDE", "96"))
"""An import is killed before every so manieth call of the file system; ASSESS_TEST_STRIDE=1 takes ten minutes."""

DEMO = "demo_plugin-1.0.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    """The demo plugin in two versions; made once, and copied by who changes it."""
    tree = make_registry_tree(tmp_path_factory.mktemp("bundle") / "registry")
    tree.publish(*demo_plugin_wheel("1.1.0"))
    return tree


@pytest.fixture
def gap(published: RegistryTree, tmp_path: Path) -> Gap:
    return Gap(tree=published.copy(tmp_path / "registry"), directory=tmp_path)


def rewritten(path: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """The same bundle with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def members_of(path: Path) -> Mapping[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def worth_trying(path: Path) -> list[str]:
    """Every member, but one bin for all that are empty."""
    names = sorted(members_of(path))
    bins = [name for name in names if "bins-" in name]
    return [name for name in names if name not in bins[1:-1]]


def test_what_was_carried_installs_with_no_other_source(gap: Gap) -> None:
    exported = gap.export()
    assert [each.release.version for each in exported.releases] == ["1.1.0"]
    shutil.rmtree(gap.tree.root / "files")  # the world is gone
    imported = gap.take_in()
    verified = gap.install()
    assert verified.inspected.version == "1.1.0"
    assert len(verified.closure) == 2
    assert not imported.own_root
    assert page_problems(gap.site) == []
    assert listed(gap.site) == [DEMO.replace("1.0.0", "1.1.0")]


def test_the_same_choice_gives_the_same_bytes(gap: Gap) -> None:
    first, second = gap.export(), gap.export(to=gap.directory / "again.assess")
    assert first.sha256 == second.sha256
    assert first.path.read_bytes() == second.path.read_bytes()
    other = gap.export("demo-plugin==1.0.0", to=gap.directory / "other.assess")
    assert other.sha256 != first.sha256


def test_importing_again_changes_nothing(gap: Gap) -> None:
    gap.export()
    gap.take_in()
    before = gap.served()
    assert gap.take_in().written == ()
    assert gap.served() == before


def test_a_later_bundle_adds_and_keeps(gap: Gap) -> None:
    gap.export("demo-plugin==1.0.0")
    gap.take_in()
    gap.tree.publish(*demo_plugin_wheel("1.2.0"))
    gap.export("demo-plugin==1.2.0")
    gap.take_in()
    assert gap.install("demo-plugin").inspected.version == "1.2.0"
    assert gap.install("demo-plugin==1.0.0").inspected.version == "1.0.0"
    assert page_problems(gap.site) == []


def test_a_release_that_was_not_carried_is_missing_and_no_other_takes_its_place(gap: Gap) -> None:
    gap.export("demo-plugin==1.0.0")
    gap.take_in()
    with pytest.raises(NotPublishedError, match=r"1\.1\.0"):
        gap.install("demo-plugin")
    assert gap.install("demo-plugin==1.0.0").inspected.version == "1.0.0"  # the control


def test_what_was_revoked_since_is_refused_and_on_no_page(gap: Gap) -> None:
    gap.export("demo-plugin==1.0.0", "demo-plugin==1.1.0")
    gap.take_in()
    assert gap.install("demo-plugin==1.0.0").inspected.version == "1.0.0"  # the control
    revoke(
        gap.tree.root, PROJECT, "1.0.0", reason="lies", severity="high", keys=gap.tree.everybody.release_keys,
        now=datetime.now(UTC),
    )  # fmt: skip
    gap.export("demo-plugin==1.1.0")
    gap.take_in()
    with pytest.raises(TrustError) as refused:
        gap.install("demo-plugin==1.0.0")
    assert refused.value.step == "revoked"
    assert listed(gap.site) == [DEMO.replace("1.0.0", "1.1.0")]


def test_what_is_revoked_is_not_exported(gap: Gap) -> None:
    revoke(
        gap.tree.root, PROJECT, "1.1.0", reason="lies", severity="high", keys=gap.tree.everybody.release_keys,
        now=datetime.now(UTC),
    )  # fmt: skip
    with pytest.raises(TrustError) as refused:
        gap.export("demo-plugin==1.1.0")
    assert refused.value.step == "revoked"
    assert [each.release.version for each in gap.export().releases] == ["1.0.0"]


def test_a_yanked_release_is_exported_only_by_its_number(gap: Gap) -> None:
    yank(gap.tree.root, PROJECT, "1.1.0", reason="slow", keys=gap.tree.everybody.release_keys, now=datetime.now(UTC))
    assert [each.release.version for each in gap.export().releases] == ["1.0.0"]
    assert [each.release.version for each in gap.export("demo-plugin==1.1.0").releases] == ["1.1.0"]


@pytest.mark.parametrize("requirement", ["demo-plugin>=1", "demo-plugin==1.*", "demo-plugin[x]", "not a name", "-"])
def test_only_a_name_or_a_pinned_version_is_exported(gap: Gap, requirement: str) -> None:
    with pytest.raises(ConfigError):
        gap.export(requirement)
    assert not gap.bundle.exists()


def test_a_bundle_that_lies_in_any_member_is_refused_and_nothing_changes(gap: Gap) -> None:
    gap.export("demo-plugin==1.0.0")
    gap.take_in()
    before = gap.served()
    gap.export()
    good = gap.bundle.read_bytes()
    names = [name for name in worth_trying(gap.bundle) if name != "bundle.json"]
    assert len(names) > 15
    for name in names:
        gap.bundle.write_bytes(good)
        rewritten(gap.bundle, changing(name))
        with pytest.raises(RegistryError):
            gap.take_in()
        assert gap.served() == before, name
    gap.bundle.write_bytes(good)
    gap.take_in()  # the control
    assert gap.served() != before


def test_a_bundle_that_lacks_any_member_is_refused_and_nothing_changes(gap: Gap) -> None:
    gap.export()
    good = gap.bundle.read_bytes()
    for name in worth_trying(gap.bundle):
        gap.bundle.write_bytes(good)
        rewritten(gap.bundle, dropping(name))
        with pytest.raises(RegistryError):
            gap.take_in()
        assert gap.served() == {}, name
    gap.bundle.write_bytes(good)
    gap.take_in()  # the control
    assert gap.install().inspected.version == "1.1.0"


@pytest.mark.parametrize(
    "name",
    [
        "files/demo-plugin/1.1.0/extra.txt",
        "files/evil/1.0/evil-1.0-py3-none-any.whl",
        "metadata/9.bins-0.json",
        "control/" + 64 * "0" + ".publishers.json",
        "../outside",
        "files/demo-plugin/../../../outside",
        "/etc/passwd",
        "simple/index.html",
        "registry.toml",
        "files/demo-plugin/1.1.0/.hidden",
        ".import/trust/clock.json",
    ],
)
def test_a_bundle_with_one_member_more_is_refused(gap: Gap, name: str) -> None:
    gap.export()
    rewritten(gap.bundle, lambda members: members.update({name: b"{}"}))
    with pytest.raises(TrustError) as refused:
        gap.take_in()
    assert refused.value.step == "bundle"
    assert gap.served() == {}
    rewritten(gap.bundle, lambda members: members.pop(name))
    gap.take_in()  # the control
    assert gap.install().inspected.version == "1.1.0"


def test_what_is_no_bundle_is_refused_as_that(gap: Gap) -> None:
    gap.export()
    for content in (b"", b"PK", b"\0" * 1000, gap.bundle.read_bytes()[:-30]):
        path = gap.directory / "broken.assess"
        path.write_bytes(content)
        with pytest.raises(TrustError) as refused:
            gap.take_in(path=path)
        assert refused.value.step == "bundle"
    assert gap.served() == {}


@pytest.mark.parametrize("where", ["before", "behind", "between", "comment"])
def test_a_bundle_with_bytes_of_no_member_is_refused(gap: Gap, where: str) -> None:
    """What a reader of zip files skips, another may read; and the digest would not be the one that was exported."""
    gap.export()
    good = gap.bundle.read_bytes()
    second = good.index(b"PK\3\4", 4)
    gap.bundle.write_bytes(
        {
            "before": b"#!/bin/sh\n" + good,
            "behind": good + b"\0" * 10,
            "between": good[:second] + b"x" + good[second:],
            "comment": good[:-2] + b"\1\0x",
        }[where]
    )
    with pytest.raises(TrustError) as refused:
        gap.take_in()
    assert refused.value.step == "bundle"
    assert gap.served() == {}
    gap.bundle.write_bytes(good)
    gap.take_in()  # the control
    assert gap.install().inspected.version == "1.1.0"


def test_a_compressed_bundle_is_refused_whatever_it_inflates_to(gap: Gap) -> None:
    gap.export()
    members = members_of(gap.bundle)
    with zipfile.ZipFile(gap.bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(TrustError) as refused:
        gap.take_in()
    assert refused.value.step == "bundle"


def test_an_older_bundle_is_refused_after_a_newer_one(gap: Gap) -> None:
    older = gap.directory / "older.assess"
    gap.export("demo-plugin==1.0.0", to=older)
    gap.tree.publish(*demo_plugin_wheel("1.2.0"))
    gap.export()
    gap.take_in()
    before = gap.served()
    with pytest.raises(TrustError) as refused:
        gap.take_in(path=older)
    assert refused.value.step in {"timestamp", "snapshot"}
    assert gap.served() == before


def test_a_bundle_of_another_registry_is_refused(gap: Gap, tmp_path: Path) -> None:
    other = Gap(tree=make_registry_tree(tmp_path / "other" / "registry"), directory=tmp_path / "other")
    other.export()
    with pytest.raises(TrustError) as refused:
        gap.take_in(path=other.bundle)
    assert refused.value.step == "timestamp"
    assert gap.served() == {}
    other.take_in()  # the control: by its own root
    assert other.install().inspected.version == "1.0.0"


def test_a_forged_first_root_does_not_travel(gap: Gap, tmp_path: Path) -> None:
    """A client begins with its own copy and would never look at it; the next one behind the gap might."""
    gap.export()
    other = make_registry_tree(tmp_path / "other")
    rewritten(gap.bundle, lambda members: members.update({"metadata/1.root.json": other.root_metadata.read_bytes()}))
    with pytest.raises(TrustError):
        gap.take_in()
    assert gap.served() == {}


def test_a_development_registry_is_taken_only_when_that_is_said(gap: Gap) -> None:
    with pytest.raises(TrustError) as refused:
        gap.export(development=False)
    assert refused.value.step == "development"
    assert not gap.bundle.exists()
    gap.export()
    with pytest.raises(TrustError):
        import_bundle(gap.bundle, site=gap.site, root=gap.tree.root_metadata, now=datetime.now(UTC))
    assert gap.served() == {}


def test_a_registry_is_no_site(gap: Gap) -> None:
    gap.export()
    with pytest.raises(ConfigError, match=r"registry\.toml"):
        import_bundle(
            gap.bundle, site=gap.tree.root, root=gap.tree.root_metadata, now=datetime.now(UTC), development=True
        )


# A site with a root of its own


@pytest.fixture
def holders() -> SiteHolders:
    return SiteHolders(root=generate_key(), online=generate_key())


def test_a_site_serves_under_its_own_root(gap: Gap, holders: SiteHolders) -> None:
    gap.export()
    imported = gap.take_in(holders.first)
    assert imported.own_root
    assert gap.install(root=gap.site / imported.root).inspected.version == "1.1.0"
    with pytest.raises(TrustError):  # the control: it is another root than the registry's
        gap.install(root=gap.tree.root_metadata)


def test_a_sites_next_import_needs_its_online_key_alone(gap: Gap, holders: SiteHolders) -> None:
    gap.export("demo-plugin==1.0.0")
    root = gap.site / gap.take_in(holders.first).root
    assert gap.install("demo-plugin==1.0.0", root=root).inspected.version == "1.0.0"
    gap.tree.publish(*demo_plugin_wheel("1.2.0"))
    gap.export()
    with pytest.raises(ConfigError, match="--site-online-key"):
        gap.take_in()
    gap.take_in(holders.daily)
    assert gap.install(root=root).inspected.version == "1.2.0"


def test_a_site_says_anew_that_what_it_has_is_current(gap: Gap, holders: SiteHolders) -> None:
    gap.export()
    root = gap.site / gap.take_in(holders.first).root
    report = Repository.load(gap.site).refresh(online_keys=[holders.online], now=datetime.now(UTC))
    assert len(report.written) == 2
    assert gap.install(root=root).inspected.version == "1.1.0"


def test_a_site_cannot_approve(gap: Gap, holders: SiteHolders) -> None:
    """Neither its root keys nor its online key sign what is a target."""
    gap.export()
    gap.take_in(holders.first)
    page = {f"catalog/{PROJECT}.json": b"{}"}
    for stranger in (holders.root, holders.online):
        with pytest.raises(ConfigError):
            Repository.load(gap.site).commit(
                page, release_keys=[stranger], online_key=holders.online, now=datetime.now(UTC)
            )
    people = gap.tree.everybody  # the control: the registry's release key would
    Repository.load(gap.site).commit(
        page, release_keys=[people.release], online_key=holders.online, now=datetime.now(UTC)
    )


def test_a_key_with_a_role_in_the_registry_has_none_at_the_site(gap: Gap, holders: SiteHolders) -> None:
    gap.export()
    with pytest.raises(TrustError) as refused:
        gap.take_in(SiteKeys(online=gap.tree.everybody.release, root=[holders.root]))
    assert refused.value.step == "keys"
    assert gap.served() == {}


def test_new_release_keys_need_the_sites_root_keys(gap: Gap, holders: SiteHolders) -> None:
    gap.export("demo-plugin==1.0.0")
    root = gap.site / gap.take_in(holders.first).root
    exchange_release_key(gap.tree)
    gap.export()
    before = gap.served()
    with pytest.raises(ConfigError, match="--site-root-key"):
        gap.take_in(holders.daily)
    assert gap.served() == before
    gap.take_in(holders.first)
    assert gap.install(root=root).inspected.version == "1.1.0"


def test_an_import_can_be_killed_anywhere(gap: Gap, holders: SiteHolders, tmp_path: Path) -> None:
    gap.export("demo-plugin==1.0.0")
    root = gap.site / gap.take_in(holders.first).root
    gap.export()
    begun = tmp_path / "begun"
    shutil.copytree(gap.site, begun, symlinks=True)

    def prepare() -> None:
        shutil.rmtree(gap.site)
        shutil.copytree(begun, gap.site, symlinks=True)

    prepare()
    step = STRIDE
    while killed_before(step, lambda: gap.take_in(holders.daily)):
        assert page_problems(gap.site) == [], step
        assert gap.install("demo-plugin==1.0.0", root=root).inspected.version == "1.0.0"
        gap.take_in(holders.daily)
        assert gap.install(root=root).inspected.version == "1.1.0"
        shutil.rmtree(gap.directory / "runtime")
        prepare()
        step += STRIDE
    assert step > 100


def changing(name: str) -> Callable[[dict[str, bytes]], object]:
    """One bit of this member becomes another."""

    def change(members: dict[str, bytes]) -> None:
        data = members[name]
        members[name] = data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]

    return change


def dropping(name: str) -> Callable[[dict[str, bytes]], object]:
    """This member is not there."""
    return lambda members: members.pop(name)


def exchange_release_key(tree: RegistryTree) -> None:
    """The registry's root names another release key, and everything is signed by it."""
    new, people, now = generate_key(), tree.everybody, datetime.now(UTC)
    propose(tree.root, Changes(release_keys=(new.public,)), now=now, expiry=Expiry())
    for key in people.roots[:2]:
        add_signature(tree.root, sign_root(export(tree.root), key))
    Repository.load(tree.root).refresh(online_keys=[people.online], release_keys=[people.release, new], now=now)

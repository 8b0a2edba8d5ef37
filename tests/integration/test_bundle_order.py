"""A site stays with the registry whose releases it serves, and goes back to no older word of it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assess_registry.errors import TrustError
from assess_registry.keys import generate_key
from assess_registry.publish.after import revoke
from tests.support.air_gap import Gap, SiteHolders
from tests.support.approved_place import PROJECT
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import demo_plugin_wheel


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    tree = make_registry_tree(tmp_path_factory.mktemp("registry") / "registry")
    tree.publish(*demo_plugin_wheel("1.1.0"))
    return tree


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Gap:
    """Another registry, with a bundle of it."""
    directory = tmp_path_factory.mktemp("others")
    gap = Gap(tree=make_registry_tree(directory / "registry"), directory=directory)
    gap.export()
    return gap


@pytest.fixture
def holders() -> SiteHolders:
    return SiteHolders(root=generate_key(), online=generate_key())


@pytest.fixture
def gap(published: RegistryTree, tmp_path: Path) -> Gap:
    """With two bundles: an older one, and one made since a release was revoked."""
    gap = Gap(tree=published.copy(tmp_path / "registry"), directory=tmp_path)
    gap.export("demo-plugin==1.0.0", "demo-plugin==1.1.0", to=older(gap))
    revoke(
        gap.tree.root, PROJECT, "1.0.0", reason="lies", severity="high", keys=gap.tree.everybody.release_keys,
        now=datetime.now(UTC),
    )  # fmt: skip
    gap.export("demo-plugin==1.1.0")
    return gap


def older(gap: Gap) -> Path:
    return gap.directory / "older.assess"


def forget(gap: Gap) -> None:
    """Somebody copied the site without what begins with a dot, or removed it."""
    shutil.rmtree(gap.site / ".import")


def nothing(gap: Gap) -> None:
    """What was remembered is there."""


@pytest.mark.parametrize("before", [nothing, forget])
def test_an_older_bundle_is_refused(gap: Gap, before: Callable[[Gap], None]) -> None:
    gap.take_in(path=older(gap))
    gap.take_in()  # the control: a newer one
    before(gap)
    served = gap.served()
    with pytest.raises(TrustError) as refused:
        gap.take_in(path=older(gap))
    assert refused.value.step == "timestamp"
    assert gap.served() == served
    gap.take_in()


@pytest.mark.parametrize("before", [nothing, forget])
def test_an_older_bundle_is_refused_where_the_site_signs_itself(
    gap: Gap, holders: SiteHolders, before: Callable[[Gap], None]
) -> None:
    gap.take_in(holders.first, path=older(gap))
    gap.take_in(holders.daily)  # the control
    before(gap)
    served = gap.served()
    with pytest.raises(TrustError) as refused:
        gap.take_in(holders.daily, path=older(gap))
    assert refused.value.step == "timestamp"
    assert gap.served() == served
    gap.take_in(holders.daily)


def test_a_bundle_of_another_registry_is_refused_and_forgets_nothing(gap: Gap, others: Gap) -> None:
    gap.take_in()
    served = gap.served()
    with pytest.raises(TrustError) as refused:
        gap.take_in(path=others.bundle, root=others.tree.root_metadata)
    assert refused.value.step == "root"
    assert "another registry" in str(refused.value)
    with pytest.raises(TrustError) as refused:
        gap.take_in(path=older(gap))
    assert refused.value.step == "timestamp"
    assert gap.served() == served


def test_a_site_with_a_root_of_its_own_takes_nothing_of_another_registry(
    gap: Gap, others: Gap, holders: SiteHolders
) -> None:
    root = gap.site / gap.take_in(holders.first).root
    served = gap.served()
    with pytest.raises(TrustError) as refused:
        gap.take_in(holders.first, path=others.bundle, root=others.tree.root_metadata)
    assert refused.value.step == "root"
    assert gap.served() == served
    assert gap.take_in(holders.first).own_root  # the control
    assert gap.install("demo-plugin==1.1.0", root=root).inspected.version == "1.1.0"

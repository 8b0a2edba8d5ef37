"""All keys of a site in the hands of a thief: its clients can be shown what was, and nothing that the registry has not.

A thief has the site's root and online keys, a registry of their own, and the web server. The control of each attack is
the same act by the registry's own keepers, which the site follows.
"""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from assess_registry.client.trust.kept import read_kept
from assess_registry.client.trust.remembered import RememberedWord
from assess_registry.config import Expiry
from assess_registry.errors import TrustError
from assess_registry.keys import PrivateKey, generate_key
from assess_registry.names import SERVED_MEMBER
from assess_registry.repository import Repository
from assess_registry.repository.ceremony import Changes, add_signature, export, propose, sign_root
from assess_registry.repository.keys import keys_of
from assess_registry.repository.roles import Signers, metadata_name, new_root, serialise, signed_by, until
from assess_registry.repository.state import METADATA, State, read_roots, read_state
from assess_registry.repository.tuf_api import Metadata, Root
from tests.support.air_gap import Gap, SiteHolders
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import demo_plugin_wheel

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    return make_registry_tree(tmp_path_factory.mktemp("registry") / "registry")


@pytest.fixture(scope="module")
def thieves(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    """A registry of the thief's own, in which everything is approved: higher than what the other one has."""
    tree = make_registry_tree(tmp_path_factory.mktemp("thief") / "registry")
    tree.publish(*demo_plugin_wheel("6.6.6"))
    return tree


@pytest.fixture
def holders() -> SiteHolders:
    return SiteHolders(root=generate_key(), online=generate_key())


@pytest.fixture
def gap(published: RegistryTree, holders: SiteHolders, tmp_path: Path) -> Gap:
    """A site with a root of its own."""
    gap = Gap(tree=published.copy(tmp_path / "registry"), directory=tmp_path)
    gap.export()
    gap.take_in(holders.first)
    return gap


def first_root(gap: Gap) -> Path:
    """What the site's clients were given, out of the thief's reach."""
    kept = gap.directory / "1.root.json"
    if not kept.exists():
        kept.write_bytes((gap.site / METADATA / metadata_name("root", 1)).read_bytes())
    return kept


def write_root(gap: Gap, key: PrivateKey, names: State, served: list[Metadata[Root]] | None) -> None:
    """The site's next root, signed as it has to be."""
    before = read_roots(gap.site)
    theirs = names.root
    signers = Signers(
        root_keys=keys_of(before[0].signed, "root"),
        root_threshold=1,
        release_keys=keys_of(theirs, "targets"),
        release_threshold=theirs.roles["targets"].threshold,
        online_keys=keys_of(theirs, "timestamp"),
    )
    root = new_root(signers, version=len(before) + 1, expires=until(Expiry(), "root", NOW))
    if served is not None:
        root.unrecognized_fields[SERVED_MEMBER] = [each.to_dict() for each in served]
    path = gap.site / METADATA / metadata_name("root", root.version)
    path.write_bytes(serialise(signed_by(root, [key])))


def serve_instead(gap: Gap, thieves: RegistryTree) -> None:
    """Everything but the roots comes from the thief's registry."""
    for path in sorted(thieves.root.rglob("*")):
        name = path.relative_to(thieves.root)
        if path.is_file() and not path.name.endswith(".root.json") and not name.parts[0].startswith("."):
            (gap.site / name).parent.mkdir(parents=True, exist_ok=True)
            (gap.site / name).write_bytes(path.read_bytes())


VOUCHERS: dict[str, Callable[[State, RegistryTree], list[Metadata[Root]] | None]] = {
    "nobody": lambda _, __: None,
    "an empty list": lambda _, __: [],
    "the registry's root, which names others": lambda registry, _: [registry.roots[-1]],
    "the thief's root": lambda _, thieves: [read_state(thieves.root).roots[-1]],
    "the thief's root after the registry's": lambda registry, thieves: [registry.roots[-1], following(thieves)],
}


def following(thieves: RegistryTree) -> Metadata[Root]:
    """The thief's root with the number that comes next, signed by all root keys of the thief."""
    root = read_state(thieves.root).root
    root.version = 2
    return signed_by(root, thieves.everybody.roots)


def stolen(here: Path) -> Callable[[], object]:
    """A client of a site that a thief has with all its keys, made ready."""
    gap = Gap(tree=make_registry_tree(here / "registry"), directory=here)
    holders = SiteHolders(root=generate_key(), online=generate_key())
    gap.export()
    gap.take_in(holders.first)
    root, thieves = first_root(gap), make_registry_tree(here / "thief")
    write_root(gap, holders.root, read_state(thieves.root), None)
    serve_instead(gap, thieves)
    return lambda: gap.install(root=root)


@pytest.mark.parametrize("known", [False, True], ids=["new client", "client that knows the site"])
@pytest.mark.parametrize("by", VOUCHERS)
def test_release_keys_of_a_thief_count_nowhere(
    by: str, known: bool, gap: Gap, holders: SiteHolders, thieves: RegistryTree
) -> None:
    root, thief = first_root(gap), read_state(thieves.root)
    if known:
        assert gap.install(root=root).inspected.version == "1.0.0"
    write_root(gap, holders.root, thief, VOUCHERS[by](read_state(gap.tree.root), thieves))
    serve_instead(gap, thieves)
    with pytest.raises(TrustError) as refused:
        gap.install(root=root)
    assert refused.value.step == "root"
    assert refused.value.thing.endswith("2.root.json")


def test_without_the_rule_the_thief_would_be_believed(
    gap: Gap, holders: SiteHolders, thieves: RegistryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_root(gap, holders.root, read_state(thieves.root), None)
    serve_instead(gap, thieves)
    monkeypatch.setattr("assess_registry.client.trust.metadata.check_served", lambda *_: None)
    assert gap.install(root=first_root(gap)).inspected.version == "6.6.6"
    # and what was remembered then is not believed by who asks nobody
    kept = read_kept(gap.directory / "runtime")
    assert kept is not None
    with pytest.raises(TrustError) as refused:
        RememberedWord(kept, root=first_root(gap).read_bytes())
    assert refused.value.step == "root"
    # nor on the next refresh
    monkeypatch.undo()
    with pytest.raises(TrustError) as again:
        gap.install(root=first_root(gap))
    assert again.value.step == "root"


def test_release_keys_that_the_registry_exchanged_count(gap: Gap, holders: SiteHolders) -> None:
    root, keys = first_root(gap), [gap.tree.everybody.release, generate_key(), generate_key()]
    for old, new in pairwise(keys):  # twice: each root of the site follows the one before
        exchange(gap.tree, old, new)
        gap.export()
        gap.take_in(holders.first)
        assert gap.install(root=root).inspected.version == "1.0.0"
    roots = read_roots(gap.site)
    assert [len(each.signed.unrecognized_fields[SERVED_MEMBER]) for each in roots] == [1, 2, 2]
    for given in range(1, 4):  # whichever of them a client was given
        shutil.rmtree(gap.directory / "runtime", ignore_errors=True)
        assert gap.install(root=gap.site / METADATA / metadata_name("root", given)).inspected.version == "1.0.0"


def test_release_keys_that_the_registry_gave_up_do_not_come_back(gap: Gap, holders: SiteHolders) -> None:
    root, old = first_root(gap), read_state(gap.tree.root)
    exchange(gap.tree, gap.tree.everybody.release, generate_key())
    gap.export()
    gap.take_in(holders.first)
    assert gap.install(root=root).inspected.version == "1.0.0"  # the control
    write_root(gap, holders.root, old, [old.roots[-1]])
    with pytest.raises(TrustError) as refused:
        gap.install(root=root)
    assert refused.value.step == "root"
    assert refused.value.thing.endswith("3.root.json")


def exchange(tree: RegistryTree, old: PrivateKey, new: PrivateKey) -> None:
    """The registry's root names another release key, and everything is signed by it."""
    people, now = tree.everybody, datetime.now(UTC)
    propose(tree.root, Changes(release_keys=(new.public,)), now=now, expiry=Expiry())
    for key in people.roots[:2]:
        add_signature(tree.root, sign_root(export(tree.root), key))
    Repository.load(tree.root).refresh(online_keys=[people.online], release_keys=[old, new], now=now)

"""Who holds one kind of key, and the web server besides, seen from `assess sync` and from the registry's own commands.

Two reviewers have to approve here and two of three keepers make a root. A runtime has 1.0.0; then 1.1.0 is published,
and the thief acts before the runtime asks again. Each attack is a function of `evil`: with `evil=False` the same is
done but for the one thing that the thief has not, and the runtime upgrades.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assess_core.cli import main as assess
from assess_registry.catalogue import VERDICT_SUFFIX, FileRef, catalogue_path
from assess_registry.cli import main as assess_registry
from assess_registry.config import IndexConfig
from assess_registry.control import PUBLISHERS_PATH
from assess_registry.dsse import parse_envelope, sign_envelope
from assess_registry.keys import PrivateKey, generate_key, write_private_key
from assess_registry.names import ProjectName
from assess_registry.repository import Repository
from assess_registry.repository.keys import to_tuf_key
from assess_registry.repository.roles import (
    bins_of,
    metadata_name,
    new_snapshot,
    new_timestamp,
    role_of_target,
    serialise,
    signed_by,
    target_file,
    target_name,
)
from assess_registry.repository.state import Current, State, read_metadata, read_state
from assess_registry.repository.tuf_api import Root, Targets
from assess_registry.review.submissions import find_submission
from assess_registry.verdict import PAYLOAD_TYPE
from tests.support.approved_place import commit
from tests.support.http_registry import serve
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import demo_plugin_wheel

Do = Callable[[RegistryTree, bool], object]

PROJECT = ProjectName("demo-plugin")
PAGE = catalogue_path(PROJECT)
OLD, NEW = (demo_plugin_wheel(version) for version in ("1.0.0", "1.1.0"))
FAR = timedelta(days=1)
BOTH = ("rita", "ruben")


def two_reviewers(config: IndexConfig) -> IndexConfig:
    return replace(config, publishers=tuple(replace(each, approvals=2) for each in config.publishers))


def publish(tree: RegistryTree, wheel: tuple[str, bytes], *, reviewers: Sequence[str] = BOTH) -> None:
    submitted = tree.submit(dict([wheel]))
    for reviewer in reviewers:
        tree.approve(*submitted, reviewer=reviewer)
    tree.release(*submitted)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A registry behind a web server, and a runtime that asks it."""

    tree: RegistryTree
    directory: Path

    def sync(self, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
        """What `assess sync` exits with, and its document."""
        with serve(self.tree.root) as http:
            config = self.directory / "assess.toml"
            config.write_text(
                f'[runtime]\nid = "web-01"\nstate_dir = "state"\n[registry]\nurl = "{http.url}"\n'
                f'root = "1.root.json"\ndevelopment = true\n[[plugins]]\nname = "{PROJECT}"\n'
            )
            capsys.readouterr()
            code = assess(["sync", "--quiet", "--output", "json", "--config", str(config)])
        return code, json.loads(capsys.readouterr().out)

    def active(self, capsys: pytest.CaptureFixture[str]) -> str:
        """The version that `assess plugins list` shows."""
        capsys.readouterr()
        assert assess(["plugins", "list", "--output", "json", "--config", str(self.directory / "assess.toml")]) == 0
        (plugin,) = json.loads(capsys.readouterr().out)["plugins"]
        return str(plugin["version"])


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """1.0.0 published and installed."""
    directory = tmp_path_factory.mktemp("stolen")
    tree = make_registry_tree(directory / "registry", plugins=[], config=two_reviewers)
    publish(tree, OLD)
    shutil.copy2(tree.root_metadata, directory / "1.root.json")
    return Place(tree=tree, directory=directory)


@pytest.fixture(scope="module")
def after(before: Place, tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    """The same registry with 1.1.0 published as well."""
    tree = before.tree.copy(tmp_path_factory.mktemp("after") / "registry")
    publish(tree, NEW)
    return tree


@pytest.fixture
def place(before: Place, after: RegistryTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    """1.0.0 installed, 1.1.0 published since."""
    shutil.copytree(before.directory, tmp_path / "place", ignore=shutil.ignore_patterns("state"))
    mine = Place(tree=replace(before.tree, directory=tmp_path / "place" / "registry"), directory=tmp_path / "place")
    code, _ = mine.sync(capsys)
    assert (code, mine.active(capsys)) == (0, "1.0.0")
    shutil.rmtree(mine.tree.directory)
    after.copy(mine.tree.directory)
    return mine


# ---- what the thief of the online key can write --------------------------------------------------------------------


def current(tree: RegistryTree) -> tuple[State, Current]:
    state = read_state(tree.root)
    assert state.current is not None
    return state, state.current


def say(tree: RegistryTree, versions: dict[str, int], *, targets: bytes | None = None) -> None:
    """Snapshot and timestamp that name these versions of roles, signed by the online key."""
    _, now = current(tree)
    metadata, online = tree.root / "metadata", [tree.everybody.online]
    versions = {**now.versions(), **versions}
    data = targets or (metadata / metadata_name("targets", versions["targets"])).read_bytes()
    number, expires = now.snapshot.signed.version + 1, datetime.now(UTC).replace(microsecond=0) + FAR
    snapshot = serialise(signed_by(new_snapshot(versions, targets=data, version=number, expires=expires), online))
    timestamp = new_timestamp(
        snapshot, snapshot_version=number, version=now.timestamp.signed.version + 1, expires=expires
    )
    (metadata / metadata_name("snapshot", number)).write_bytes(snapshot)
    (metadata / "timestamp.json").write_bytes(serialise(signed_by(timestamp, online)))


def write_role(tree: RegistryTree, name: str, role: Targets, keys: Sequence[PrivateKey]) -> None:
    """The next version of targets or a bin, signed by these, and named by the online key."""
    role.version += 1
    data = serialise(signed_by(role, keys))
    (tree.root / "metadata" / metadata_name(name, role.version)).write_bytes(data)
    say(tree, {name: role.version}, targets=data if name == "targets" else None)


def release_or_online(tree: RegistryTree, evil: bool) -> list[PrivateKey]:
    people = tree.everybody
    return [people.online if evil else people.release]


def bin_of_demo(tree: RegistryTree) -> str:
    _, now = current(tree)
    return role_of_target(PAGE, bins_of(now.targets.signed))


def retarget(path: str, change: Callable[[RegistryTree, bytes], bytes]) -> Do:
    """Another page or list of people, in a role that the thief signs; the control is signed by the release key."""

    def do(tree: RegistryTree, evil: bool) -> None:
        state, _ = current(tree)
        name = bin_of_demo(tree) if path == PAGE else "targets"
        honest = Repository(tree.root).read(path)
        assert honest is not None
        data = change(tree, honest) if evil else honest
        file = target_file(path, data)
        (tree.root / target_name(file)).write_bytes(data)
        role = state.role(name)
        role.targets[path] = file
        write_role(tree, name, role, release_or_online(tree, evil))

    return do


def forge_release(tree: RegistryTree, page: bytes) -> bytes:
    """A page on which 1.1.0 is other bytes."""
    evil = replace_file_of(tree, b"evil")
    digest = json.loads(page)["releases"][-1]["wheels"][0]["sha256"]
    return page.replace(digest.encode(), evil.encode())


def replace_file_of(tree: RegistryTree, data: bytes) -> str:
    path = tree.path(NEW[0])
    path.write_bytes(data)
    return target_file(PAGE, data).hashes["sha256"]


def reviewer_of_theirs(_: RegistryTree, people: bytes) -> bytes:
    """A list of people in which one approval is enough."""
    return people.replace(b'"approvals":2', b'"approvals":1')


def page_exchanged(tree: RegistryTree, evil: bool) -> None:
    """Other bytes under the signed page's name."""
    honest = Repository(tree.root).read(PAGE)
    assert honest is not None
    data = forge_release(tree, honest) if evil else honest
    (tree.root / target_name(target_file(PAGE, honest))).write_bytes(data)


def older_bin(tree: RegistryTree, evil: bool) -> None:
    """The bin of before 1.1.0, rightly signed, in a new snapshot."""
    name = bin_of_demo(tree)
    _, now = current(tree)
    say(tree, {name: now.versions()[name] - (1 if evil else 0)})


def older_targets(tree: RegistryTree, evil: bool) -> None:
    """Targets one version back."""
    _, now = current(tree)
    say(tree, {"targets": now.versions()["targets"] - (1 if evil else 0)})


def recommit_people(tree: RegistryTree) -> None:
    """Something honest that changes targets."""
    people = tree.everybody
    data = Repository(tree.root).read(PUBLISHERS_PATH)
    assert data is not None
    state, _ = current(tree)
    write_role(tree, "targets", state.role("targets"), [people.release])


def another_bin(tree: RegistryTree, evil: bool) -> None:
    """The bytes of another bin, rightly signed, under this one's name: mixed."""
    name = bin_of_demo(tree)
    state, now = current(tree)
    other = next(each for each in bins_of(now.targets.signed).get_roles() if each != name)
    metadata = tree.root / "metadata"
    here = metadata / metadata_name(name, now.versions()[name])
    if evil:
        shutil.copy2(metadata / metadata_name(other, state.role(other).version), here)
    say(tree, {})


def verdict_by(keys: Callable[[RegistryTree], Sequence[PrivateKey]]) -> Do:
    """A verdict with these keys' signatures, in its place on the web server; the control: the one that is there."""

    def do(tree: RegistryTree, evil: bool) -> None:
        path = tree.path(NEW[0]).with_name(NEW[0] + VERDICT_SUFFIX)
        if evil:
            path.write_bytes(resigned(tree, keys(tree)))
        say(tree, {})

    return do


def resigned(tree: RegistryTree, keys: Sequence[PrivateKey]) -> bytes:
    from_page = tree.path(NEW[0]).with_name(NEW[0] + VERDICT_SUFFIX)
    return sign_envelope(parse_envelope(from_page.read_bytes()).payload, PAYLOAD_TYPE, keys).data()


# ---- one reviewer's key of two, one root key of three, the publisher's key -----------------------------------------


def approvals(reviewers: Sequence[str]) -> Do:
    """Even on a signed page: approved by these only; the control by both."""

    def do(tree: RegistryTree, evil: bool) -> None:
        keys = [tree.everybody.reviewers[name] for name in (reviewers if evil else BOTH)]
        data = resigned(tree, keys)
        path = tree.path(NEW[0]).with_name(NEW[0] + VERDICT_SUFFIX)
        path.write_bytes(data)
        catalogue = tree.catalogue()
        release = catalogue.release("1.1.0")
        assert release is not None
        wheel = replace(release.wheels[0], verdict=FileRef.of(path.name, data))
        commit(tree, {PAGE: catalogue.with_release(replace(release, wheels=(wheel,))).data()})

    return do


def next_root(signers: Callable[[RegistryTree], Sequence[PrivateKey]]) -> Do:
    """A root that gives the release role to a thief's key as well; the control is signed by two keepers."""

    def do(tree: RegistryTree, evil: bool) -> None:
        people, state = tree.everybody, read_state(tree.root)
        metadata, _ = read_metadata(tree.root, "root", len(state.roots), Root)
        root = metadata.signed
        root.version += 1
        root.add_key(to_tuf_key(generate_key().public), "targets")
        keys = list(signers(tree)) if evil else list(people.roots[:2])
        (tree.root / "metadata" / metadata_name("root", root.version)).write_bytes(serialise(signed_by(root, keys)))

    return do


def other_bytes(tree: RegistryTree, evil: bool) -> None:
    """Other bytes, a lock and pages that agree, all of it signed by the publisher."""
    tree.forge(NEW[0], demo_plugin_wheel("1.1.0", source="raise SystemExit\n")[1] if evil else NEW[1])


@dataclass(frozen=True)
class Attack:
    do: Do
    step: str


ATTACKS: dict[str, Attack] = {
    # the online key and the web server
    "online: forge a page": Attack(retarget(PAGE, forge_release), "targets"),
    "online: forge the bytes of a page": Attack(page_exchanged, "targets"),
    "online: forge the list of people": Attack(retarget(PUBLISHERS_PATH, reviewer_of_theirs), "targets"),
    "online: mix bins": Attack(another_bin, "targets"),
    "online: make a root": Attack(next_root(lambda tree: [tree.everybody.online]), "root"),
    "online: approve": Attack(verdict_by(lambda tree: [tree.everybody.online]), "hash or length"),
    # one key of several, or the publisher's, each with the web server
    "one reviewer: approve twice": Attack(
        verdict_by(lambda tree: [tree.everybody.reviewers["rita"]]), "hash or length"
    ),
    "one reviewer: on a signed page": Attack(approvals(["rita"]), "approval"),
    "one root key": Attack(next_root(lambda tree: tree.everybody.roots[:1]), "root"),
    "one root key and the publisher's": Attack(next_root(lambda tree: [tree.everybody.roots[0], tree.key]), "root"),
    "publisher: other bytes": Attack(other_bytes, "hash or length"),
    "publisher: approve": Attack(verdict_by(lambda tree: [tree.key]), "hash or length"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_sync_refuses_and_keeps_what_there_was(name: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    attack = ATTACKS[name]
    attack.do(place.tree, True)
    code, document = place.sync(capsys)
    said = json.dumps(document)
    assert code == 5, said
    assert any(f"refused at step '{step}'" in said for step in attack.step.split(" or ")), said
    assert place.active(capsys) == "1.0.0"


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_by_those_who_may_is_followed(name: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    ATTACKS[name].do(place.tree, False)
    code, document = place.sync(capsys)
    assert code == 0, document
    assert place.active(capsys) == "1.1.0"


# ---- what the online key can do, and for how long ------------------------------------------------------------------


def test_the_online_key_can_hide_what_is_new(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    older_bin(place.tree, True)
    code, _ = place.sync(capsys)
    assert (code, place.active(capsys)) == (0, "1.0.0")
    older_bin(place.tree, False)
    say(place.tree, {bin_of_demo(place.tree): newest(place.tree, bin_of_demo(place.tree))})
    code, _ = place.sync(capsys)
    assert (code, place.active(capsys)) == (0, "1.1.0")


def newest(tree: RegistryTree, role: str) -> int:
    """The highest version of a role that was ever written."""
    return max(int(path.name.partition(".")[0]) for path in (tree.root / "metadata").glob(f"*.{role}.json"))


ROLLBACKS: dict[str, tuple[Do, str]] = {
    "a bin": (older_bin, "snapshot"),
    "targets": (older_targets, "snapshot"),
}


@pytest.mark.parametrize("evil", [True, False], ids=["back", "not back"])
@pytest.mark.parametrize("name", ROLLBACKS)
def test_the_online_key_rolls_nothing_back(
    name: str, evil: bool, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    do, step = ROLLBACKS[name]
    if name == "targets":
        recommit_people(place.tree)
    assert place.sync(capsys)[0] == 0
    do(place.tree, evil)
    code, document = place.sync(capsys)
    assert code == (5 if evil else 0), document
    assert (f"refused at step '{step}'" in json.dumps(document)) is evil
    assert place.active(capsys) == "1.1.0"


@pytest.mark.parametrize("evil", [True, False], ids=["back", "not back"])
def test_a_web_server_alone_rolls_no_timestamp_back(
    evil: bool, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    timestamp = place.tree.root / "metadata" / "timestamp.json"
    kept = timestamp.read_bytes()
    say(place.tree, {})
    assert place.sync(capsys)[0] == 0
    if evil:
        timestamp.write_bytes(kept)
    code, document = place.sync(capsys)
    assert code == (5 if evil else 0), document
    assert ("refused at step 'timestamp'" in json.dumps(document)) is evil
    assert place.active(capsys) == "1.1.0"


# ---- with the registry's own commands ------------------------------------------------------------------------------


LATER = demo_plugin_wheel("1.2.0")


def key_file(place: Place, key: PrivateKey) -> str:
    path = place.directory / f"{key.public.hex_id}.key"
    if not path.exists():
        write_private_key(path, key)
    return str(path)


def approve(place: Place, key: PrivateKey) -> int:
    seen = find_submission(place.tree.root, LATER[0]).statement_sha256 or ""
    argv = ["review", "approve", LATER[0], "--statement", seen, "--key", key_file(place, key)]
    return assess_registry([*argv, "--index", str(place.tree.root)])


def publish_by_command(place: Place, *argv: str) -> int:
    people = place.tree.everybody
    keys = ["--release-key", key_file(place, people.release), "--online-key", key_file(place, people.online)]
    return assess_registry(["publish", *argv, *keys, "--index", str(place.tree.root)])


@pytest.mark.parametrize("second", ["rita", "publisher", "nobody", "ruben"])
def test_one_reviewer_of_two_publishes_nothing(second: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """With whom ever but the other reviewer; even where those who publish go along."""
    tree, evil = place.tree, second != "ruben"
    tree.submit(dict([LATER]))
    others = {**tree.everybody.reviewers, "publisher": tree.key, "nobody": generate_key()}
    assert approve(place, tree.everybody.reviewers["rita"]) == 0
    assert approve(place, others[second]) == (0 if second in BOTH else 5)
    assert publish_by_command(place, LATER[0]) == (5 if evil else 0)
    assert place.sync(capsys)[0] == 0
    assert place.active(capsys) == ("1.1.0" if evil else "1.2.0")


def test_the_publishers_key_alone_shows_nothing_to_who_goes_by_the_root(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = place.tree
    wheel = tree.directory / "dist" / LATER[0]
    wheel.write_bytes(LATER[1])
    argv = ["publish", str(wheel), "--key", key_file(place, tree.key), "--closure", str(tree.closure)]
    assert assess_registry([*argv, "--index", str(tree.root)]) == 0  # on the pages, for simple clients
    assert tree.path(LATER[0]).exists()
    assert place.sync(capsys)[0] == 0
    assert place.active(capsys) == "1.1.0"

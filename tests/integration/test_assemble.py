"""Publishing in two places: release keys sign an offer on a copy, and the online key makes it the registry's word.

The machine with the online key believes nothing of the copy but what the registry's own keys have signed. Each attack
has its control: the offer as it was made, which differs in the one thing attacked and is taken.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assess_registry.catalogue import parse_catalogue
from assess_registry.cli import main
from assess_registry.config import load_config
from assess_registry.control import REVOCATIONS_PATH, Revocations, RevokedWheel
from assess_registry.errors import ConfigError, TrustError
from assess_registry.keys import PrivateKey, generate_key
from assess_registry.keys.private import write_private_key
from assess_registry.names import ProjectName, parse_sha256
from assess_registry.publish.after import revoke, yank
from assess_registry.publish.approved import publish_approved
from assess_registry.publish.assemble import Assembled, assemble
from assess_registry.publish.mark import mark
from assess_registry.publish.transaction import ReleaseKeys
from assess_registry.repository import Repository
from assess_registry.repository.roles import serialise, signed_by
from assess_registry.repository.tuf_api import Metadata, TargetFile, Targets
from assess_registry.review.published import signed_revocations
from tests.support.approved_place import ApprovedPlace
from tests.support.kills import steps, stride
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import demo_plugin_wheel

NEW = "demo_plugin-1.1.0-py3-none-any.whl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Where the registry is, and the copy on which an offer was made."""

    tree: RegistryTree
    copy: RegistryTree

    @property
    def source(self) -> Path:
        return self.copy.root

    def assemble(self, key: PrivateKey | None = None, now: datetime | None = None) -> Assembled:
        online = key or self.tree.everybody.online
        return assemble(self.source, self.tree.root, online_key=online, now=now or datetime.now(UTC))

    @property
    def bin(self) -> Path:
        """The offered bin."""
        here = {path.name for path in (self.tree.root / "metadata").iterdir()}
        (found,) = [path for path in (self.source / "metadata").iterdir() if path.name not in here]
        return found

    def resign(self, change: Callable[[Targets], object], key: PrivateKey | None = None) -> None:
        """Let the offered bin say something else, signed by the release key or by another."""
        metadata: Metadata[Targets] = Metadata.from_bytes(self.bin.read_bytes())
        change(metadata.signed)
        self.bin.write_bytes(serialise(signed_by(metadata.signed, [key or self.tree.everybody.release])))


def offer(copy: RegistryTree, version: str) -> None:
    filename, data = demo_plugin_wheel(version)
    submitted = copy.submit({filename: data})
    copy.approve(*submitted)
    directories = [each.submission.directory for each in submitted]
    keys = ReleaseKeys(release=[copy.everybody.release], online=None)
    publish_approved(copy.root, directories, keys=keys, now=datetime.now(UTC))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    base = tmp_path_factory.mktemp("desk")
    tree = make_registry_tree(base / "registry")
    copy = tree.copy(base / "copy")
    offer(copy, "1.1.0")
    return Desk(tree=tree, copy=copy)


@pytest.fixture
def desk(made: Desk, tmp_path: Path) -> Desk:
    return Desk(tree=made.tree.copy(tmp_path / "registry"), copy=made.copy.copy(tmp_path / "copy"))


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*"))
            if path.is_file() and not path.name.startswith(".")}  # fmt: skip


def installed(desk: Desk, state: Path) -> str:
    """The version a client gets that trusts nothing but the registry's first root."""
    return ApprovedPlace(tree=desk.tree, state=state).chain().inspected.version


def test_an_offer_is_nothing_to_clients_before_it_is_assembled(desk: Desk, tmp_path: Path) -> None:
    elsewhere = Desk(tree=desk.copy, copy=desk.copy)
    assert installed(elsewhere, tmp_path / "before") == "1.0.0"
    assert desk.assemble().releases == ("demo-plugin 1.1.0",)
    assert installed(desk, tmp_path / "after") == "1.1.0"


def test_assembling_again_changes_nothing(desk: Desk) -> None:
    desk.assemble()
    before = files(desk.tree.root)
    assert desk.assemble() == Assembled(releases=(), targets=(), written=())
    assert files(desk.tree.root) == before


def test_the_daily_refresh_in_between_is_no_hindrance(desk: Desk, tmp_path: Path) -> None:
    Repository(desk.tree.root).refresh(online_keys=[desk.tree.everybody.online], now=datetime.now(UTC))
    assert desk.assemble().releases == ("demo-plugin 1.1.0",)
    assert installed(desk, tmp_path / "state") == "1.1.0"


def test_a_publish_in_between_makes_it_an_old_offer(desk: Desk) -> None:
    desk.tree.publish(*demo_plugin_wheel("1.0.5"))
    before = files(desk.tree.root)
    with pytest.raises(TrustError, match="not what is published under this version") as caught:
        desk.assemble()
    assert caught.value.step == "offer"
    assert "make the offer again" in caught.value.next_step
    assert files(desk.tree.root) == before


def test_a_second_offer_waits_for_the_first(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="an offer that is not assembled yet"):
        offer(desk.copy, "1.2.0")


def test_killed_anywhere_clients_see_what_they_saw_or_all_of_it(made: Desk, tmp_path: Path) -> None:
    """And the same call again finishes the work."""
    desk, killed = Desk(tree=made.tree.copy(tmp_path / "registry"), copy=made.copy), 0

    def prepare() -> None:
        shutil.rmtree(tmp_path / "registry")
        made.tree.copy(tmp_path / "registry")

    for _ in steps(desk.assemble, prepare, every=stride(12)):
        killed += 1
        current = "1.1.0" if desk.tree.catalogue().release("1.1.0") else "1.0.0"
        assert installed(desk, tmp_path / f"state-{killed}") == current
        desk.assemble()
        assert desk.tree.catalogue().release("1.1.0") is not None
    assert killed > 3
    assert installed(desk, tmp_path / "state") == "1.1.0"


def with_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def in_source(name: str) -> Callable[[Desk], Path]:
    return lambda desk: next(path for path in sorted(desk.source.rglob(name)) if "1.1.0" in path.parts or "catalog" in
                             path.parts)  # fmt: skip


ATTACKS: dict[str, tuple[Callable[[Desk], object], str, str]] = {
    "a byte of the wheel": (lambda d: with_byte(in_source(NEW)(d)), "file", NEW),
    "no wheel": (lambda d: in_source(NEW)(d).unlink(), "file", NEW),
    "a byte of its signature": (lambda d: with_byte(in_source(NEW + ".sig")(d)), "file", NEW + ".sig"),
    "no verdict": (lambda d: in_source(NEW + ".verdict.json")(d).unlink(), "file", "verdict"),
    "a byte of the audit's report": (lambda d: with_byte(in_source("audit.json")(d)), "file", "audit.json"),
    "a byte of the lock": (lambda d: with_byte(in_source("pylock.toml")(d)), "file", "pylock.toml"),
    "a byte of the bin": (lambda d: with_byte(d.bin), "metadata", "bins"),
    "signed by the online key": (
        lambda d: d.resign(lambda _: None, d.tree.everybody.online), "metadata", "bins"
    ),
    "signed by a stranger": (lambda d: d.resign(lambda _: None, generate_key()), "metadata", "bins"),
    "a page taken away": (lambda d: d.resign(lambda s: s.targets.clear()), "offer", "bins"),
    "expired": (
        lambda d: d.resign(lambda s: setattr(s, "expires", datetime.now(UTC) - timedelta(days=1))), "offer", "bins"
    ),
    "what is no target": (
        lambda d: d.resign(lambda s: s.targets.update(x=TargetFile(1, {"sha256": "0" * 64}, "x"))), "offer", "bins"
    ),
    "another version inside": (lambda d: d.resign(lambda s: setattr(s, "version", s.version + 1)), "metadata", "bins"),
}  # fmt: skip


@pytest.mark.parametrize(("attack", "step", "thing"), ATTACKS.values(), ids=ATTACKS.keys())
def test_what_was_not_signed_so_is_refused_and_nothing_changes(
    desk: Desk, attack: Callable[[Desk], object], step: str, thing: str
) -> None:
    attack(desk)
    before = files(desk.tree.root)
    with pytest.raises(TrustError) as caught:
        desk.assemble()
    assert caught.value.step == step
    assert thing in caught.value.thing
    assert files(desk.tree.root) == before


def test_control_signing_the_same_again_is_taken(desk: Desk) -> None:
    desk.resign(lambda _: None)
    assert desk.assemble().releases == ("demo-plugin 1.1.0",)


def test_a_page_in_another_bin_is_refused(desk: Desk) -> None:
    """The same bytes as another role: that role's name is in what was signed."""
    _, name, _ = desk.bin.name.split(".")
    number = int(name.rpartition("-")[2], 16)
    other = name.replace(f"-{name.rpartition('-')[2]}", f"-{(number + 1) % 16:x}")
    taken = max((desk.tree.root / "metadata").glob(f"*.{other}.json"))
    following = int(taken.name.split(".")[0]) + 1
    desk.bin.rename(desk.bin.with_name(f"{following}.{other}.json"))
    with pytest.raises(TrustError):
        desk.assemble()


def test_published_files_are_never_written_over(desk: Desk) -> None:
    published = desk.tree.path(NEW)
    shutil.copytree(in_source(NEW)(desk).parent, published.parent)
    (published.parent / f"{NEW}.sig").write_bytes(b"another")
    before = files(desk.tree.root)
    with pytest.raises(TrustError, match="published under a signature by another key"):
        desk.assemble()
    assert files(desk.tree.root) == before


def test_another_registry_toml_is_another_registry(desk: Desk) -> None:
    with (desk.source / "registry.toml").open("a") as file:
        file.write("\n# another\n")
    with pytest.raises(ConfigError, match=r"registry\.toml: not what .* says"):
        desk.assemble()


def test_a_key_without_the_role_signs_nothing(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="online-key"):
        desk.assemble(key=desk.tree.everybody.release)
    assert desk.tree.catalogue().release("1.1.0") is None


def test_the_page_is_the_one_that_was_signed(desk: Desk) -> None:
    desk.assemble()
    data = Repository(desk.tree.root).read("catalog/demo-plugin.json")
    assert data is not None
    page = parse_catalogue(data, ProjectName("demo-plugin"))
    assert [release.version for release in page.releases] == ["1.0.0", "1.1.0"]
    assert NEW in desk.tree.page().read_text()


# --- what becomes of a release, and of a project ----------------------------------------------------------------------

DEMO = ProjectName("demo-plugin")


def do_yank(root: Path, keys: ReleaseKeys, now: datetime) -> None:
    yank(root, DEMO, "1.0.0", reason="broken", keys=keys, now=now)


def do_revoke(root: Path, keys: ReleaseKeys, now: datetime) -> None:
    revoke(root, DEMO, "1.0.0", reason="steals", severity="critical", keys=keys, now=now)


def do_revoke_a_dependency(root: Path, keys: ReleaseKeys, now: datetime) -> None:
    (version,) = (path.name for path in (root / "files" / "pluggy").iterdir())
    revoke(root, ProjectName("pluggy"), version, reason="steals", severity="high", keys=keys, now=now)


def do_quarantine(root: Path, keys: ReleaseKeys, now: datetime) -> None:
    mark(root, DEMO, "quarantined", reason="its key may be stolen", keys=keys, now=now)


Change = Callable[[Path, ReleaseKeys, datetime], None]
LATER: dict[str, Change] = {
    "yanked": do_yank,
    "revoked": do_revoke,
    "a dependency revoked": do_revoke_a_dependency,
    "quarantined": do_quarantine,
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    return make_registry_tree(tmp_path_factory.mktemp("later") / "registry")


@pytest.fixture
def later(published: RegistryTree, tmp_path: Path) -> Desk:
    return Desk(tree=published.copy(tmp_path / "registry"), copy=published.copy(tmp_path / "copy"))


def word(root: Path) -> dict[str, bytes | None]:
    repository = Repository(root)
    return {path: repository.read(path) for path in (f"catalog/{DEMO}.json", "control/revocations.json")}


def pages(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in files(root).items() if name.startswith(("simple/", "status/", "plugins"))}


@pytest.mark.parametrize("change", LATER.values(), ids=LATER.keys())
def test_what_was_offered_of_a_release_is_what_both_keys_at_one_place_would_say(
    change: Change, later: Desk, published: RegistryTree, tmp_path: Path
) -> None:
    people, before, now = published.everybody, word(later.tree.root), datetime.now(UTC)
    change(later.source, ReleaseKeys(release=[people.release], online=None), now)
    assert word(later.source) == before, "an offer is nothing to clients"
    done = later.assemble()
    assert not done.releases
    control = published.copy(tmp_path / "control")
    change(control.root, people.release_keys, now)
    assert word(later.tree.root) == word(control.root) != before
    assert pages(later.tree.root) == pages(control.root) != pages(published.root)
    assert later.assemble() == Assembled(releases=(), targets=(), written=())


def test_what_was_quarantined_is_taken_back_by_an_offer(later: Desk) -> None:
    people, listed = later.tree.everybody, pages(later.tree.root)
    do_quarantine(later.tree.root, people.release_keys, datetime.now(UTC))
    again = Desk(tree=later.tree, copy=later.tree.copy(later.source.parent.parent / "again"))
    offered = ReleaseKeys(release=[people.release], online=None)
    mark(again.source, DEMO, None, reason="", keys=offered, now=datetime.now(UTC))
    again.assemble()
    assert pages(again.tree.root) == listed


@pytest.mark.parametrize("signed", ["release", "online"])
def test_who_has_no_release_key_revokes_nothing(signed: str, later: Desk) -> None:
    people = later.tree.everybody
    do_yank(later.source, ReleaseKeys(release=[people.release], online=None), datetime.now(UTC))
    later.resign(lambda _: None, getattr(people, signed))
    if signed == "release":
        later.assemble()
        return
    before = files(later.tree.root)
    with pytest.raises(TrustError) as caught:
        later.assemble()
    assert caught.value.step == "metadata"
    assert files(later.tree.root) == before


def test_what_is_revoked_is_killed_by_an_offer_and_nothing_less_takes_its_place(later: Desk) -> None:
    people, now = later.tree.everybody, datetime.now(UTC)
    do_revoke(later.tree.root, people.release_keys, now)
    again = Desk(tree=later.tree, copy=later.tree.copy(later.source.parent.parent / "again"))
    offered = ReleaseKeys(release=[people.release], online=None)
    revoke(again.source, DEMO, "1.0.0", reason="steals keys", severity="kill", keys=offered, now=datetime.now(UTC))
    again.assemble()
    (wheel,) = signed_revocations(Repository(later.tree.root)).wheels
    assert (wheel.severity, wheel.reason) == ("kill", "steals keys")


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_revoked_stays_so_whoever_signs_the_offer(kept: bool, later: Desk) -> None:
    people, now = later.tree.everybody, datetime.now(UTC)
    do_revoke(later.tree.root, people.release_keys, now)
    again = Desk(tree=later.tree, copy=later.tree.copy(later.source.parent.parent / "again"))
    before = signed_revocations(Repository(again.source))
    more = RevokedWheel(
        project=DEMO, version="0.9", sha256=parse_sha256("0" * 64), reason="old", severity="low", at=now
    )
    said = (before if kept else Revocations()).plus([more])
    config = load_config(again.source)
    Repository(again.source).commit(
        {REVOCATIONS_PATH: said.data()}, release_keys=[people.release], online_key=None, now=now, expiry=config.expiry
    )
    if kept:
        assert again.assemble().targets == (REVOCATIONS_PATH,)
        return
    unchanged = files(again.tree.root)
    with pytest.raises(TrustError, match="takes back a revocation") as caught:
        again.assemble()
    assert caught.value.step == "offer"
    assert files(again.tree.root) == unchanged


@pytest.mark.parametrize("command", ["yank", "revoke", "mark"])
def test_the_commands_offer_and_say_so(command: str, later: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    people, words = later.copy, {
        "yank": ["demo-plugin", "1.0.0", "--reason", "broken"],
        "revoke": ["demo-plugin", "1.0.0", "--reason", "broken", "--severity", "high"],
        "mark": ["demo-plugin", "archived", "--reason", "done"],
    }  # fmt: skip
    key = later.source.parent / "release.key"
    write_private_key(key, people.everybody.release)
    line = [command, *words[command], "--release-key", str(key), "--index", str(later.source)]
    assert main(line) == 2, "without --offer the online key is asked for"
    assert "--online-key" in capsys.readouterr().err
    assert main([*line, "--offer"]) == 0
    assert capsys.readouterr().out.startswith("OFFERED")
    assert later.assemble().targets

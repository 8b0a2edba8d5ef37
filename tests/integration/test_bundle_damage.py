"""A site that somebody damaged: what follows from signed content is made anew, or nothing changes and it says why."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assess_registry.cli import main, signing
from assess_registry.errors import ConfigError, TrustError
from assess_registry.index.flat import names_path, shard_of
from assess_registry.keys import generate_key, write_private_key
from tests.integration.test_bundle import exchange_release_key
from tests.support.air_gap import Gap, SiteHolders
from tests.support.approved_place import PROJECT
from tests.support.kills import killed_before, stride
from tests.support.registry_tree import STAND_INS, RegistryTree, make_registry_tree
from tests.support.wheels import WheelBuilder, demo_manifest, demo_plugin_wheel
from tests.support.word_reader import listed, page_problems

SECOND = "second-plugin"
"""A plugin that runs with something else: its bundle does not bring what the first one runs with."""

NAMES = names_path(shard_of(PROJECT))
PLUGGY = "files/pluggy/1.6.0/pluggy-1.6.0-py3-none-any.whl"
GARBAGE = b"\x00garbage"


def second_plugin() -> tuple[str, bytes]:
    builder = WheelBuilder(
        name=SECOND,
        files={"second_plugin/__init__.py": "plugin = provider = None\n"},
        manifest=demo_manifest(plugin="second"),
        entry_points={"assess.plugins": {"second": "second_plugin:plugin"}},
        requires=("somelib",),
    )
    return builder.filename, builder.build()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    """Both plugins; made once, and copied."""
    closure = {wheel.filename: wheel.build() for wheel in (*STAND_INS, WheelBuilder.dependency())}
    directory = tmp_path_factory.mktemp("damage") / "registry"
    return make_registry_tree(directory, plugins=[demo_plugin_wheel(), second_plugin()], closure=closure)


@pytest.fixture
def gap(published: RegistryTree, tmp_path: Path) -> Gap:
    return Gap(tree=published.copy(tmp_path / "registry"), directory=tmp_path)


@pytest.fixture
def holders() -> SiteHolders:
    return SiteHolders(root=generate_key(), online=generate_key())


def metadata(gap: Gap, role: str) -> Path:
    """The newest file of this role at the site."""
    found = (gap.site / "metadata").glob(f"*.{role}.json")
    return max(found, key=lambda path: int(path.name.partition(".")[0]))


DERIVED = (
    "plugins.json",
    NAMES,
    f"plugins/{PROJECT}.json",
    "simple/index.json",
    "simple/index.html",
    f"simple/{PROJECT}/index.json",
    f"simple/{PROJECT}/index.html",
    "simple/pluggy/index.json",
    "simple/pluggy/index.html",
    f"{PLUGGY}.metadata",
)


@pytest.mark.parametrize("carried", [PROJECT, SECOND])
def test_what_follows_from_signed_content_heals_whichever_bundle_comes(gap: Gap, carried: str) -> None:
    gap.export(PROJECT, SECOND)
    gap.take_in()
    whole = gap.served()
    assert set(DERIVED) <= whole.keys()
    gap.export(carried)
    for content in (GARBAGE, b"", b"[]", b'{"names": {"x": 1}, "plugins": [1]}', None):
        for name in DERIVED:
            if content is None:
                (gap.site / name).unlink()
            else:
                (gap.site / name).write_bytes(content)
        assert sorted(gap.take_in().written) == sorted(DERIVED), content
        assert gap.served() == whole, content
    assert gap.take_in().written == ()  # the control


def test_pages_of_what_is_not_there_go(gap: Gap) -> None:
    gap.export()
    gap.take_in()
    whole = gap.served()
    for name in ("simple/gone/index.html", "simple/gone/index.json", "plugins/gone.json", "plugins/names/00.json"):
        (gap.site / name).parent.mkdir(exist_ok=True)
        (gap.site / name).write_bytes(GARBAGE)
    (gap.site / "simple/robots.txt").write_text("somebody's")
    gap.take_in()
    assert gap.served() == {**whole, "simple/robots.txt": b"somebody's"}


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "bins-0", "root"])
def test_the_registrys_word_heals(gap: Gap, role: str) -> None:
    gap.export()
    gap.take_in()
    whole = gap.served()
    path = gap.site / "metadata/timestamp.json" if role == "timestamp" else metadata(gap, role)
    path.write_bytes(GARBAGE)
    gap.take_in()
    assert gap.served() == whole
    path.unlink()
    gap.take_in()
    assert gap.served() == whole


def test_signed_files_and_releases_heal_when_they_are_brought_again(gap: Gap) -> None:
    gap.export()
    gap.take_in()
    whole = gap.served()
    for name in whole:
        if name.startswith(("files/", "catalog/", "control/")):
            (gap.site / name).write_bytes(GARBAGE)
    gap.take_in()
    assert gap.served() == whole


@pytest.mark.parametrize("name", [PLUGGY, "files/demo-plugin/1.0.0/pylock.toml", "files/demo-plugin/1.0.0/audit.json"])
def test_what_only_an_earlier_bundle_brought_is_named_with_what_brings_it_again(gap: Gap, name: str) -> None:
    gap.export()
    gap.take_in()
    whole = gap.served()
    gap.export(SECOND)
    assert gap.take_in().damaged == ()  # the control
    data = (gap.site / name).read_bytes()
    (gap.site / name).write_bytes(data[:-10] + bytes([data[-10] ^ 1]) + data[-9:])
    damaged = gap.take_in().damaged
    assert [(each.name, str(each.needed_by)) for each in damaged] == [(name, "demo-plugin 1.0.0")]
    assert page_problems(gap.site) == [], "no page vouches for other bytes than were signed"
    assert listed(gap.site) == ["demo_plugin-1.0.0-py3-none-any.whl"]
    assert bool(listed(gap.site, "pluggy")) == name.endswith("audit.json")
    gap.export(f"{PROJECT}==1.0.0")
    assert gap.take_in().damaged == ()
    healed = gap.served()
    assert all(healed[each] == data for each, data in whole.items() if each.startswith(("files/", "simple/pluggy/")))


# What import does not follow, and cannot replace


def everything(directory: Path) -> dict[str, bytes | str | None]:
    """What lies below, links as what they say, but for what is remembered of the registry."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if not name.startswith(".import"):
            found[name] = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


@pytest.mark.parametrize(
    ("name", "carried"),
    [
        *((name, PROJECT) for name in ("files", "files/demo-plugin", "files/demo-plugin/1.0.0", "files/pluggy")),
        *((name, PROJECT) for name in ("simple", "metadata", "catalog", "control", "plugins", ".import")),
        # What the bundle does not bring is read, and its pages are written.
        *((name, SECOND) for name in ("files/demo-plugin", "files/demo-plugin/1.0.0", "files/pluggy")),
        *((name, SECOND) for name in (f"simple/{PROJECT}", "plugins/names")),
    ],
)
def test_no_link_is_followed_out_of_the_site(gap: Gap, name: str, carried: str, tmp_path: Path) -> None:
    gap.export()
    gap.take_in()
    gap.export(carried)
    outside = tmp_path / "outside"
    if name == ".import":
        shutil.rmtree(gap.site / name)
        outside.mkdir()
    else:
        (gap.site / name).rename(outside)
    (gap.site / name).symlink_to(outside)
    before = everything(gap.site), everything(outside)
    with pytest.raises(ConfigError) as refused:
        gap.take_in()
    assert str(gap.site / name) in str(refused.value)
    assert "symbolic link" in str(refused.value)
    assert (everything(gap.site), everything(outside)) == before
    (gap.site / name).unlink()
    if name != ".import":
        outside.rename(gap.site / name)
    gap.take_in()  # the control


def test_a_site_may_be_reached_by_a_link(gap: Gap, tmp_path: Path) -> None:
    """Where the site is, is the operator's word; what lies in it is not."""
    gap.export()
    (tmp_path / "real").mkdir()
    gap.site.symlink_to(tmp_path / "real")
    gap.take_in()
    assert gap.install().inspected.version == "1.0.0"


@pytest.mark.parametrize("name", ["plugins.json", f"simple/{PROJECT}/index.html", "metadata/timestamp.json", PLUGGY])
def test_a_link_in_a_files_place_is_replaced_and_not_followed(gap: Gap, name: str, tmp_path: Path) -> None:
    gap.export()
    gap.take_in()
    whole = gap.served()
    outside = tmp_path / "outside"
    outside.write_bytes(whole[name])
    (gap.site / name).unlink()
    (gap.site / name).symlink_to(outside)
    assert gap.take_in().written == (name,)
    assert not (gap.site / name).is_symlink()
    assert outside.read_bytes() == whole[name]
    assert gap.served() == whole


@pytest.mark.parametrize("name", ["simple", f"simple/{PROJECT}", "files", "files/demo-plugin/1.0.0", "metadata"])
def test_a_file_in_a_directorys_place_is_refused_before_anything_is_written(gap: Gap, name: str) -> None:
    gap.export()
    path = gap.site / name
    path.parent.mkdir(parents=True)
    path.write_text("somebody's")
    before = everything(gap.site)
    with pytest.raises(ConfigError, match="expected a directory"):
        gap.take_in()
    assert everything(gap.site) == {**before, ".lock": b""}
    path.unlink()
    gap.take_in()  # the control


@pytest.mark.parametrize("name", ["plugins.json", f"simple/{PROJECT}/index.html", "metadata/timestamp.json", PLUGGY])
def test_a_directory_in_a_files_place_is_refused_before_anything_is_written(gap: Gap, name: str) -> None:
    gap.export()
    path = gap.site / name
    path.mkdir(parents=True)
    before = everything(gap.site)
    with pytest.raises(ConfigError, match="got a directory"):
        gap.take_in()
    assert everything(gap.site) == {**before, ".lock": b""}
    path.rmdir()
    gap.take_in()  # the control


def test_what_does_not_belong_into_files_stays_and_is_on_no_page(gap: Gap, tmp_path: Path) -> None:
    gap.export()
    gap.take_in()
    whole = gap.served()
    strays = {"files/lost+found/x": b"1", f"files/{PROJECT}/notes/a.whl": b"2", "files/README": b"3"}
    strays[f"files/{PROJECT}/1.0.0/other_plugin-1.0.0-py3-none-any.whl"] = b"4"
    strays["files/stray/1.0/stray-1.0-py3-none-any.whl"] = WheelBuilder.dependency("stray", "1.0").build()
    for name, data in strays.items():
        (gap.site / name).parent.mkdir(exist_ok=True, parents=True)
        (gap.site / name).write_bytes(data)
    assert gap.take_in().written == ()
    assert gap.served() == whole | strays


# Killed, and repeated


@pytest.mark.parametrize("begun_with", [None, PROJECT])
def test_after_a_kill_anywhere_the_same_import_makes_the_same_tree(gap: Gap, begun_with: str | None) -> None:
    gap.site.mkdir()
    if begun_with:
        gap.export(begun_with)
        gap.take_in()
    begun = gap.directory / "begun"
    shutil.copytree(gap.site, begun, symlinks=True)
    gap.export(SECOND)
    gap.take_in()
    whole = everything(gap.site)
    every = stride(48)
    step, kills = every, 0
    while True:
        shutil.rmtree(gap.site)
        shutil.copytree(begun, gap.site, symlinks=True)
        if not killed_before(step, gap.take_in):
            break
        kills += 1
        gap.take_in()
        assert everything(gap.site) == whole, step
        step += every
    assert kills > 2
    assert everything(gap.site) == whole


def test_a_first_import_that_was_killed_at_the_registrys_word_is_finished(gap: Gap) -> None:
    """Between any two of the files that are written last."""
    exchange_release_key(gap.tree)
    gap.export()
    written = gap.take_in().written
    whole = everything(gap.site)
    assert {"metadata/1.root.json", "metadata/2.root.json", "metadata/timestamp.json"} < set(written[-6:])
    for begin in range(1, 7):
        for name in written[-begin:]:
            (gap.site / name).unlink()
        gap.take_in()
        assert everything(gap.site) == whole, written[-begin]


# A site with a root of its own


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "bins-0"])
def test_a_sites_own_word_heals_and_its_clients_see_no_older_one(gap: Gap, holders: SiteHolders, role: str) -> None:
    gap.export()
    root = gap.site / gap.take_in(holders.first).root
    for _ in range(3):
        gap.take_in(holders.daily)
    assert gap.install(root=root).inspected.version == "1.0.0"
    damaged = gap.site / "metadata/timestamp.json" if role == "timestamp" else metadata(gap, role)
    for harm in (lambda: damaged.write_bytes(GARBAGE), damaged.unlink):
        harm()
        gap.take_in(holders.daily)
        assert gap.install(root=root).inspected.version == "1.0.0"


@pytest.mark.parametrize("content", [GARBAGE, None])
def test_what_only_the_site_had_is_named_and_nothing_changes(
    gap: Gap, holders: SiteHolders, content: bytes | None
) -> None:
    gap.export()
    gap.take_in(holders.first)
    path = gap.site / "metadata/1.root.json"
    good = path.read_bytes()
    path.write_bytes(content) if content else path.unlink()
    before = everything(gap.site)
    for keys in (None, holders.daily, holders.first):
        with pytest.raises(TrustError) as refused:
            gap.take_in(keys)
        assert refused.value.thing == str(path)
        assert "put it back from a copy" in refused.value.next_step
        assert everything(gap.site) == before
    path.write_bytes(good)
    gap.take_in(holders.daily)  # the control


# The clock of who signs for a site


def test_a_site_signs_nothing_that_ends_before_what_it_has_signed(gap: Gap, holders: SiteHolders) -> None:
    gap.export()
    gap.take_in(holders.first)
    before = everything(gap.site)
    behind = datetime.now(UTC) - timedelta(hours=2)
    with pytest.raises(TrustError) as refused:
        gap.take_in(holders.daily, now=behind)
    assert refused.value.step == "clock"
    assert "--overrule-clock-check" in refused.value.next_step
    assert everything(gap.site) == before
    gap.take_in(holders.daily, now=datetime.now(UTC) - timedelta(minutes=50))  # the control: within the tolerance
    assert everything(gap.site) != before
    gap.take_in(holders.overruling, now=behind)
    ends = json.loads((gap.site / "metadata/timestamp.json").read_bytes())["signed"]["expires"]
    assert datetime.fromisoformat(ends) < datetime.now(UTC) + timedelta(days=7, hours=-1)


def test_a_sites_next_root_does_not_end_before_its_last(gap: Gap, holders: SiteHolders) -> None:
    """Its online key is exchanged by a machine whose clock was behind by less than timestamps live."""
    gap.export()
    gap.take_in(holders.first, now=datetime.now(UTC))
    new = SiteHolders(root=holders.root, online=generate_key())
    with pytest.raises(TrustError) as refused:
        gap.take_in(new.first, now=datetime.now(UTC) - timedelta(days=9))
    assert refused.value.step == "clock"
    gap.take_in(new.first)  # the control


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_first_import_that_was_killed_at_the_sites_word_is_finished(
    gap: Gap, holders: SiteHolders, written: int
) -> None:
    """The registry's own metadata has come far by then; it says nothing about the site's."""
    exchange_release_key(gap.tree)
    gap.export()
    done = gap.take_in(holders.first)
    word = done.written[-3:]
    assert [name.partition("/")[2] for name in word] == ["1.root.json", "1.snapshot.json", "timestamp.json"]
    for name in word[written:]:
        (gap.site / name).unlink()
    root = gap.site / gap.take_in(holders.first).root
    assert gap.install(root=root).inspected.version == "1.0.0"


def test_an_import_that_was_killed_between_two_online_keys_is_finished(gap: Gap, holders: SiteHolders) -> None:
    gap.export()
    root = gap.site / gap.take_in(holders.first).root
    assert gap.install(root=root).inspected.version == "1.0.0"
    old = (gap.site / "metadata/timestamp.json").read_bytes()
    new = SiteHolders(root=holders.root, online=generate_key())
    assert gap.take_in(new.first).written[-2:] == ("metadata/2.root.json", "metadata/timestamp.json")
    (gap.site / "metadata/timestamp.json").write_bytes(old)
    gap.take_in(new.daily)
    assert gap.install(root=root).inspected.version == "1.0.0"


# As it is typed


def test_a_site_that_init_made_a_registry_of_says_how_to_take_that_back(gap: Gap) -> None:
    gap.export()
    gap.take_in()
    (gap.site / "registry.toml").write_text('[registry]\nname = "by mistake"\n')
    with pytest.raises(ConfigError, match=r"remove .*/site/registry\.toml"):
        gap.take_in()
    (gap.site / "registry.toml").unlink()
    gap.take_in()  # the control


def typed(gap: Gap, *more: str) -> list[str]:
    return [
        *("import", str(gap.bundle), str(gap.site), "--root", str(gap.tree.root_metadata)),
        *("--accept-development-registry", *more),
    ]


def test_what_is_damaged_is_said_and_no_success(gap: Gap, capsys: pytest.CaptureFixture[str]) -> None:
    gap.export()
    assert main(typed(gap)) == 0
    gap.export(SECOND)
    assert main(typed(gap)) == 0  # the control
    (gap.site / PLUGGY).write_bytes(GARBAGE)
    capsys.readouterr()
    assert main(typed(gap, "--output", "json")) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["imported"]["damaged"] == [{"file": PLUGGY, "project": PROJECT, "version": "1.0.0"}]
    assert "export demo-plugin==1.0.0 again" in err
    assert main(typed(gap)) == 1
    assert f"{PLUGGY}, of demo-plugin 1.0.0" in capsys.readouterr().out


def test_what_ends_soon_at_a_site_is_not_for_the_registrys_keys_to_sign(
    gap: Gap, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gap.export()
    gap.take_in()
    for place, told in ((gap.site, True), (gap.tree.root, False)):
        monkeypatch.setattr("assess_registry.cli.refresh.now", lambda: signing.now() + timedelta(days=170))
        capsys.readouterr()
        assert main(["refresh", "--index", str(place)]) == 1
        err = capsys.readouterr().err
        assert ("import a newer bundle" in err) == told
        assert ("refresh with --release-key" in err) == (not told)


def test_the_option_that_overrules_as_it_is_typed(
    gap: Gap, holders: SiteHolders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, key in (("online", holders.online), ("root", holders.root)):
        write_private_key(gap.directory / f"{name}.key", key)
    online = ("--site-online-key", str(gap.directory / "online.key"))
    gap.export()
    assert main(typed(gap, *online, "--site-root-key", str(gap.directory / "root.key"))) == 0
    assert main(typed(gap, "--overrule-clock-check")) == 2
    assert "--site-online-key" in capsys.readouterr().err
    monkeypatch.setattr("assess_registry.cli.import_.now", lambda: signing.now() - timedelta(hours=2))
    assert main(typed(gap, *online)) == 5
    assert "look at the clock" in capsys.readouterr().err
    assert main(typed(gap, *online, "--overrule-clock-check")) == 0

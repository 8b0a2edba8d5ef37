"""Commits, as python-tuf's own client sees them, and what a commit refuses to build on."""

import errno
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import ExpiredMetadataError, RepositoryError

from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import atomic_write
from assess_registry.keys import generate_key
from assess_registry.repository import Expiry, Repository, create_repository, store
from assess_registry.repository.keys import KeySigner
from assess_registry.repository.roles import serialise, target_file
from assess_registry.repository.tuf_api import Metadata, Targets
from tests.support.repositories import Keys, Reader, Registry, make_registry

PAGE = "catalog/acme-demo.json"
CONTROL = "control/publishers.json"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return make_registry(tmp_path / "registry")


@pytest.fixture
def reader(registry: Registry, tmp_path: Path) -> Reader:
    return Reader(registry.place, tmp_path / "memory")


def test_a_reader_gets_what_was_committed(registry: Registry, reader: Reader) -> None:
    assert reader.read(PAGE) == {PAGE: None}
    registry.commit({PAGE: b"one", CONTROL: b"who"})
    assert reader.read(PAGE, CONTROL) == {PAGE: b"one", CONTROL: b"who"}
    registry.commit({PAGE: b"two"})
    assert reader.read(PAGE, CONTROL) == {PAGE: b"two", CONTROL: b"who"}
    registry.commit({PAGE: None})
    assert reader.read(PAGE, CONTROL) == {PAGE: None, CONTROL: b"who"}


def test_one_page_costs_one_page_one_bin_snapshot_and_timestamp(registry: Registry) -> None:
    written = registry.commit({PAGE: b"one"}).written
    assert [Path(name).name.partition(".")[2] for name in written[:1]] == ["acme-demo.json"]
    assert [name.rpartition("/")[2] for name in written[2:]] == ["2.snapshot.json", "timestamp.json"]
    assert written[1].startswith("metadata/2.bins-")
    assert len(written) == 4


def test_a_control_file_is_in_targets(registry: Registry) -> None:
    assert registry.commit({CONTROL: b"who"}).written[1:] == (
        "metadata/2.targets.json", "metadata/2.snapshot.json", "metadata/timestamp.json",
    )  # fmt: skip


def test_the_same_again_changes_nothing(registry: Registry) -> None:
    registry.commit({PAGE: b"one"})
    before = registry.metadata()
    report = registry.commit({PAGE: b"one", "catalog/other.json": None})
    assert (report.written, report.version) == ((), 2)
    assert registry.metadata() == before


def test_a_lost_target_file_is_put_back(registry: Registry, reader: Reader) -> None:
    registry.commit({PAGE: b"one"})
    (page,) = (registry.place / "catalog").iterdir()
    page.write_bytes(b"two")
    assert registry.commit({PAGE: b"one"}).written == (f"catalog/{page.name}",)
    assert reader.read(PAGE) == {PAGE: b"one"}


def test_what_is_read_back_is_what_is_signed(registry: Registry) -> None:
    registry.commit({PAGE: b"one", CONTROL: b"who"})
    repository = Repository.load(registry.place)
    assert repository.read(PAGE) == b"one"
    assert repository.read("catalog/other.json") is None
    assert repository.paths() == (PAGE, CONTROL)
    (page,) = (registry.place / "catalog").iterdir()
    page.write_bytes(b"two")
    with pytest.raises(TrustError, match="not the bytes that were signed"):
        repository.read(PAGE)
    page.unlink()
    with pytest.raises(TrustError, match="missing"):
        repository.read(PAGE)


def test_all_that_is_published_is_read_at_once(registry: Registry) -> None:
    pages: dict[str, bytes | None] = {f"catalog/project-{number}.json": str(number).encode() for number in range(20)}
    registry.commit({**pages, CONTROL: b"who"})
    assert dict(registry.repository.items()) == {**pages, CONTROL: b"who"}
    next((registry.place / "catalog").iterdir()).write_bytes(b"two")
    with pytest.raises(TrustError, match="not the bytes that were signed"):
        dict(registry.repository.items())


def test_a_full_disk_leaves_what_was(registry: Registry, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.commit({PAGE: b"one"})
    for room in range(4):  # target files that were written stay, so the last attempt lacks the timestamp alone
        left = room

        def write(path: Path, data: bytes) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            atomic_write(path, data)

        with monkeypatch.context() as patched:
            patched.setattr(store, "atomic_write", write)
            with pytest.raises(OSError, match="No space left"):
                registry.commit({PAGE: b"two", CONTROL: b"who"})
        assert reader.read(PAGE, CONTROL) == {PAGE: b"one", CONTROL: None}
    registry.commit({PAGE: b"two", CONTROL: b"who"})
    assert reader.read(PAGE, CONTROL) == {PAGE: b"two", CONTROL: b"who"}


def test_published_versions_are_never_written_again(registry: Registry) -> None:
    seen = registry.metadata()
    for number in range(5):
        registry.commit({f"catalog/project-{number}.json": b"{}", CONTROL: str(number).encode()})
        found = registry.metadata()
        assert all(found[name] == data for name, data in seen.items() if name != "timestamp.json")
        seen = found


def test_what_a_killed_commit_left_is_passed_over_and_removed(registry: Registry, reader: Reader) -> None:
    registry.commit({PAGE: b"one"})
    left = registry.place / "metadata" / "3.snapshot.json"
    left.write_bytes(b"half a commit")
    registry.commit({PAGE: b"two"})
    assert not left.exists()
    assert (registry.place / "metadata" / "4.snapshot.json").exists()
    assert reader.read(PAGE) == {PAGE: b"two"}


def test_two_commits_at_once_are_one_after_the_other(registry: Registry, reader: Reader) -> None:
    children = []
    for number in range(4):
        if (child := os.fork()) == 0:
            try:
                registry.commit({f"catalog/project-{number}.json": b"{}"})
            except BaseException:
                os._exit(1)
            os._exit(0)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert set(reader.read(*(f"catalog/project-{number}.json" for number in range(4))).values()) == {b"{}"}


# ---- keys ------------------------------------------------------------------------------------------------------------


def test_two_release_keys_where_two_are_asked_for(tmp_path: Path) -> None:
    keys = Keys(release=(generate_key(), generate_key()), release_threshold=2)
    registry = make_registry(tmp_path / "registry", keys=keys)
    with pytest.raises(ConfigError, match=r"2 of .* have to sign, 1 of them given"):
        registry.commit({PAGE: b"one"}, release_keys=keys.release[:1])
    with pytest.raises(ConfigError, match="1 of them given"):
        registry.commit({PAGE: b"one"}, release_keys=(keys.release[0], keys.release[0]))
    registry.commit({PAGE: b"one"})
    assert Reader(registry.place, tmp_path / "memory").read(PAGE) == {PAGE: b"one"}


@pytest.mark.parametrize("option", ["--release-key", "--online-key"])
def test_a_key_without_the_role_signs_nothing(registry: Registry, option: str) -> None:
    before = registry.metadata()
    stranger = generate_key()
    changed: dict[str, object] = {"release_keys": [stranger]} if option == "--release-key" else {"online_key": stranger}
    with pytest.raises(ConfigError, match=option) as refused:
        registry.commit({PAGE: b"one"}, **changed)
    assert stranger.public.id in str(refused.value)
    assert registry.metadata() == before


def test_keys_in_two_roles_make_no_repository(tmp_path: Path) -> None:
    keys = Keys()
    make_registry(tmp_path / "control", keys=keys)
    for number, wrong in enumerate([keys.but(release=(keys.online,)), keys.but(release=keys.root[:1])]):
        with pytest.raises(TrustError, match="one key in two roles"):
            make_registry(tmp_path / str(number), keys=wrong)
        assert not (tmp_path / str(number) / "metadata").exists()


def test_another_registry_is_not_taken_over(registry: Registry) -> None:
    before = registry.metadata()
    make_registry(registry.place, keys=registry.keys)
    with pytest.raises(ConfigError, match="another registry"):
        make_registry(registry.place)
    assert registry.metadata() == before


def test_a_place_without_a_root_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no root metadata"):
        Repository.load(tmp_path)


# ---- what a commit refuses to build on -------------------------------------------------------------------------------


def edit(registry: Registry, name: str, change: Callable[[dict[str, object]], None]) -> None:
    """Change what a file says and leave its signatures, as who owns the web server can."""
    path = registry.place / "metadata" / name
    document = json.loads(path.read_bytes())
    change(document["signed"])
    path.write_text(json.dumps(document))


def nothing(signed: dict[str, object]) -> None:
    """The control: another spelling of the same signed content."""


def later(signed: dict[str, object]) -> None:
    signed["expires"] = "2100-01-01T00:00:00Z"


@pytest.mark.parametrize("name", ["1.root.json", "timestamp.json"])
def test_metadata_that_its_keys_did_not_sign_is_not_built_on(registry: Registry, name: str) -> None:
    edit(registry, name, nothing)
    registry.commit({CONTROL: b"control"})
    edit(registry, name, later)
    before = registry.metadata()
    with pytest.raises(TrustError, match="not signed by the keys") as refused:
        registry.commit({PAGE: b"one"})
    assert refused.value.thing.startswith("metadata/")
    assert registry.metadata() == before


@pytest.mark.parametrize("name", ["1.snapshot.json", "1.targets.json"])
def test_metadata_of_another_hash_is_not_built_on(registry: Registry, name: str) -> None:
    edit(registry, name, later)
    with pytest.raises(TrustError, match="not the bytes that other metadata names"):
        registry.commit({PAGE: b"one"})


def bin_of(registry: Registry, path: str) -> Path:
    name = next(each for each in registry.commit({path: b"one"}).written if "bins-" in each)
    return registry.place / name


def test_a_bin_that_lists_what_no_release_key_signed_is_not_built_on(registry: Registry) -> None:
    path = bin_of(registry, PAGE)
    edit(registry, path.name, nothing)
    registry.commit({PAGE: b"two"})
    path = path.with_name(path.name.replace("2.", "3.", 1))

    def smuggle(signed: dict[str, object]) -> None:
        listed = signed["targets"]
        assert isinstance(listed, dict)
        listed["catalog/evil.json"] = target_file("catalog/evil.json", b"evil").to_dict()

    edit(registry, path.name, smuggle)
    with pytest.raises(TrustError, match="not signed by the keys") as refused:
        registry.commit({PAGE: b"three"})
    assert refused.value.thing == f"metadata/{path.name}"


def test_a_bin_in_another_version_than_the_snapshot_names_is_not_built_on(registry: Registry) -> None:
    path = bin_of(registry, PAGE)
    old = path.with_name(path.name.replace("2.", "1.", 1)).read_bytes()
    path.write_bytes(old)  # signed, but of yesterday: the page would be gone
    with pytest.raises(TrustError, match="another version"):
        registry.commit({PAGE: b"two"})


def test_a_bin_in_place_of_another_is_not_built_on(registry: Registry) -> None:
    """Of the same version and by the same keys: only its own word tells it from the right one."""
    path = bin_of(registry, PAGE)
    others = (bin_of(registry, f"catalog/other-{number}.json") for number in range(100))
    other = next(each for each in others if each.name.startswith("2."))  # the first page of a bin of its own
    right = path.read_bytes()
    path.write_bytes(other.read_bytes())
    with pytest.raises(TrustError, match="another role's document") as refused:
        registry.commit({PAGE: b"two"})
    assert refused.value.thing == f"metadata/{path.name}"
    path.write_bytes(right)
    registry.commit({PAGE: b"two"})
    assert registry.repository.read(PAGE) == b"two"


def test_a_bin_signed_by_a_key_of_another_role_is_not_built_on(registry: Registry) -> None:
    path = bin_of(registry, PAGE)
    for key, accepted in ((registry.keys.release[0], True), (registry.keys.online, False)):
        metadata: Metadata[Targets] = Metadata.from_bytes(path.read_bytes())
        metadata.sign(KeySigner(key))
        path.write_bytes(serialise(metadata))
        if accepted:
            assert registry.repository.read(PAGE) == b"one"
        else:
            with pytest.raises(TrustError, match="not signed by the keys"):
                registry.repository.read(PAGE)


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b'{"signed": {"_type": "root"}, "signatures": []}'])
def test_garbage_is_refused(registry: Registry, data: bytes) -> None:
    (registry.place / "metadata" / "timestamp.json").write_bytes(data)
    with pytest.raises(TrustError) as refused:
        registry.commit({PAGE: b"one"})
    assert refused.value.step == "metadata"


def test_a_lost_timestamp_is_no_beginning(registry: Registry) -> None:
    """A commit that began anew would sign that nothing else is published."""
    timestamp = registry.place / "metadata" / "timestamp.json"
    registry.commit({PAGE: b"one"})
    data = timestamp.read_bytes()
    timestamp.unlink()
    before = registry.metadata()
    again: list[Callable[[], object]] = [
        lambda: registry.commit({CONTROL: b"who"}),
        lambda: registry.refresh(release_keys=registry.keys.release),
    ]
    for call in again:
        with pytest.raises(TrustError, match="missing, though there were commits") as refused:
            call()
        assert refused.value.thing == "metadata/timestamp.json"
    assert registry.metadata() == before
    timestamp.write_bytes(data)
    registry.commit({CONTROL: b"who"})
    assert registry.repository.paths() == (PAGE, CONTROL)


def test_missing_metadata_is_refused(registry: Registry) -> None:
    (registry.place / "metadata" / "1.targets.json").unlink()
    with pytest.raises(TrustError, match="missing"):
        registry.commit({PAGE: b"one"})


# ---- time ------------------------------------------------------------------------------------------------------------


def test_expired_metadata_is_signed_anew(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    registry = make_registry(tmp_path / "registry", now=now - timedelta(days=20))
    reader = Reader(registry.place, tmp_path / "memory")
    with pytest.raises(ExpiredMetadataError, match="timestamp"):
        reader.read()
    registry.refresh(now=now)
    assert reader.read(PAGE) == {PAGE: None}


def test_a_refresh_by_the_online_key_leaves_targets_and_bins(registry: Registry) -> None:
    before = registry.metadata()
    assert registry.refresh().written == ("metadata/2.snapshot.json", "metadata/timestamp.json")
    after = registry.metadata()
    assert {name: after[name] for name in before if name != "timestamp.json"} == {
        name: data for name, data in before.items() if name != "timestamp.json"
    }


def test_release_keys_renew_what_is_past_half_of_its_time(registry: Registry, tmp_path: Path) -> None:
    soon, half = registry.now + timedelta(days=44), registry.now + timedelta(days=46)
    keys = registry.keys.release
    assert len(registry.refresh(now=soon, release_keys=keys).written) == 2
    assert sum("bins-" in name for name in registry.refresh(now=half, release_keys=keys).written) == 4
    expiries = {each.role: each for each in registry.repository.expiries(now=half, expiry=Expiry())}
    assert expiries["bins"].expires == half.replace(microsecond=0) + timedelta(days=90)
    assert expiries["targets"].version == 1


@pytest.mark.parametrize(
    ("days", "alarming"),
    [
        (0, []),
        (4.6, []),
        (4.7, ["timestamp"]),
        (20.1, ["snapshot", "timestamp"]),
        (60.1, ["bins", "snapshot", "timestamp"]),
        (150.1, ["targets", "bins", "snapshot", "timestamp"]),
        (335.1, ["root", "targets", "bins", "snapshot", "timestamp"]),
    ],
)
def test_alarms_ring_before_the_end(registry: Registry, days: float, alarming: list[str]) -> None:
    found = registry.repository.expiries(now=registry.now + timedelta(days=days), expiry=Expiry())
    assert [each.role for each in found] == ["root", "targets", "bins", "snapshot", "timestamp"]
    assert [each.role for each in found if each.alarm] == alarming
    assert found[-1].days_left == pytest.approx(7 - days, abs=0.001)


def test_of_bins_the_first_to_end_counts(registry: Registry) -> None:
    registry.commit({PAGE: b"one"}, now=registry.now + timedelta(days=10))
    bins = registry.repository.expiries(now=registry.now, expiry=Expiry())[2]
    assert bins.days_left == pytest.approx(90, abs=0.001)


# ---- collecting ------------------------------------------------------------------------------------------------------


def aged(registry: Registry, seconds: float) -> None:
    """All files are older by so much."""
    for path in registry.place.rglob("*.json"):
        status = path.stat()
        os.utime(path, (status.st_atime - seconds, status.st_mtime - seconds))


def test_what_nobody_names_is_collected_after_its_time(registry: Registry, reader: Reader) -> None:
    registry.commit({PAGE: b"one", CONTROL: b"a"})
    registry.commit({PAGE: b"two", CONTROL: b"b"})
    (registry.place / "metadata" / ".tmp-00ff").write_bytes(b"")
    assert registry.repository.collect(3600, now=registry.now) == ()
    removed = registry.repository.collect(0, now=datetime.now(UTC) + timedelta(seconds=5))
    assert {"metadata/1.snapshot.json", "metadata/2.snapshot.json", "metadata/1.targets.json",
            "metadata/2.targets.json", "metadata/.tmp-00ff"} <= set(removed)  # fmt: skip
    assert sum(name.startswith("catalog/") for name in removed) == 1
    assert sum(name.startswith("control/") for name in removed) == 1
    assert "metadata/1.root.json" not in removed
    assert reader.read(PAGE, CONTROL) == {PAGE: b"two", CONTROL: b"b"}
    assert registry.repository.read(PAGE) == b"two"


def test_what_was_current_lately_is_kept_whole(registry: Registry) -> None:
    registry.commit({PAGE: b"one"})
    aged(registry, 7200)
    registry.commit({PAGE: b"two"})  # until now the first was current
    removed = registry.repository.collect(3600, now=datetime.now(UTC))
    names = {path.name for path in registry.place.rglob("*.json")}
    assert "2.snapshot.json" in names
    assert removed
    assert all(name.startswith("metadata/1.") for name in removed)
    assert len(list((registry.place / "catalog").iterdir())) == 2


def test_files_of_others_are_not_collected(registry: Registry) -> None:
    registry.commit({PAGE: b"one"})
    strangers = [registry.place / "metadata" / "README.md", registry.place / "catalog" / "notes.json"]
    for path in strangers:
        path.write_text("mine")
    registry.repository.collect(0, now=datetime.now(UTC) + timedelta(days=1))
    assert all(path.exists() for path in strangers)


def test_nothing_is_collected_on_the_word_of_unsigned_metadata(registry: Registry) -> None:
    registry.commit({PAGE: b"one"})
    edit(registry, "timestamp.json", later)
    before = registry.metadata()
    with pytest.raises(TrustError):
        registry.repository.collect(0, now=datetime.now(UTC) + timedelta(days=1))
    assert registry.metadata() == before


def test_a_reader_that_missed_many_commits_goes_on(registry: Registry, reader: Reader) -> None:
    reader.read(PAGE)
    for number in range(20):
        registry.commit({PAGE: str(number).encode()})
    registry.repository.collect(0, now=datetime.now(UTC) + timedelta(seconds=5))
    assert len(registry.metadata()) < 12
    assert reader.read(PAGE) == {PAGE: b"19"}


def test_a_mix_of_two_moments_is_refused_by_readers(registry: Registry, reader: Reader, tmp_path: Path) -> None:
    registry.commit({PAGE: b"one"})
    old = registry.metadata()
    registry.commit({PAGE: b"two"})
    assert reader.read(PAGE) == {PAGE: b"two"}
    (registry.place / "metadata" / "timestamp.json").write_bytes(old["timestamp.json"])
    with pytest.raises(RepositoryError):
        reader.read(PAGE)


def test_a_repository_that_was_begun_is_finished(tmp_path: Path) -> None:
    keys = Keys()
    registry = make_registry(tmp_path / "registry", keys=keys)
    for path in registry.place.glob("metadata/*"):
        if not path.name.endswith("root.json"):
            path.unlink()
    create_repository(
        registry.place,
        root_keys=keys.root,
        root_threshold=2,
        release_keys=keys.release,
        online_key=keys.online,
        now=registry.now,
        bins=4,
    )
    assert Reader(registry.place, tmp_path / "memory").read(PAGE) == {PAGE: None}

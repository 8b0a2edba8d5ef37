"""What a runtime knows of itself: keys are kept, a head is remembered, another machine is noticed."""

import errno
import gc
from pathlib import Path

import pytest

from assess_core.errors import NoRoomError, StoreError
from assess_core.journal.identity import Head, Identity

HEAD = Head(seq=7, digest=bytes(range(32)))


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    path = tmp_path / "machine-id"
    path.write_text("aa" * 16 + "\n")
    return path


@pytest.fixture
def identity(tmp_path: Path, machine: Path) -> Identity:
    return Identity(tmp_path / "identity", machine_id=machine)


def again(identity: Identity) -> Identity:
    return Identity(identity.directory, machine_id=identity._machine_id)


def test_a_key_is_made_once_and_found_again(identity: Identity) -> None:
    key = identity.any_key()
    later = again(identity)
    assert later.any_key().public == key.public
    assert later.public_keys() == (key.public,)
    assert [path.stat().st_mode & 0o777 for path in identity.directory.glob("*.key")] == [0o600]
    assert identity.directory.stat().st_mode & 0o777 == 0o700


def test_a_key_that_others_can_read_is_not_used_any_more(identity: Identity, caplog: pytest.LogCaptureFixture) -> None:
    key = identity.any_key()
    (path,) = identity.directory.glob("*.key")
    path.chmod(0o644)
    assert again(identity).key(key.public) is None
    assert "chain-key-unusable" in [getattr(record, "action", "") for record in caplog.records]
    assert again(identity).any_key().public != key.public
    path.chmod(0o600)
    found = again(identity).key(key.public)
    assert found is not None
    assert found.public == key.public
    path.unlink()
    assert again(identity).key(key.public) is None


@pytest.mark.parametrize(("code", "kind"), [(errno.EMFILE, StoreError), (errno.EIO, NoRoomError)])
def test_a_key_that_cannot_be_read_now_is_not_lost(
    code: int, kind: type[StoreError], identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = identity.any_key()

    def fails(*_: object, **__: object) -> int:
        raise OSError(code, "no")

    with monkeypatch.context() as patched:
        patched.setattr("assess_registry.keys.private.os.open", fails)
        with pytest.raises(StoreError) as caught:
            again(identity).key(key.public)
    assert type(caught.value) is kind
    found = again(identity).key(key.public)
    assert found is not None


def test_a_public_key_that_is_damaged_is_known_by_its_private_half_or_not_at_all(
    identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    key, other = identity.any_key(), identity.new_key()
    assert identity.damaged_keys() == ()
    path = identity.directory / f"{key.public.hex_id[:16]}.pub"
    path.write_bytes(b"\0" * 40)
    later = again(identity)
    assert set(later.public_keys()) == set(later.known_keys()) == {key.public, other.public}
    assert (len(later.damaged_keys()), later.lost_keys()) == (1, ())
    path.with_suffix(".key").write_bytes((identity.directory / f"{other.public.hex_id[:16]}.key").read_bytes())
    assert again(identity).known_keys() == (other.public,), "another's private half says nothing"
    path.with_suffix(".key").unlink()
    path.unlink()
    path.mkdir()
    last = again(identity)
    assert last.known_keys() == last.known_keys() == (other.public,)
    assert len(last.lost_keys()) == 1
    told = [record for record in caplog.records if getattr(record, "action", "") == "chain-key-unreadable"]
    assert len(told) == 3, "by each that looked, and once"
    with pytest.raises(StoreError, match="of no known key"):
        last.public_keys()


def test_a_public_key_that_cannot_be_read_now_is_not_lost(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    identity.any_key()

    def fails(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "no")

    with monkeypatch.context() as patched:
        patched.setattr("assess_core.journal.identity.load_public_key", fails)
        assert len(again(identity).known_keys()) == 1, "by its private half"
        patched.setattr("assess_registry.keys.private.os.open", fails)
        with pytest.raises(StoreError):
            again(identity).known_keys()
    assert again(identity).lost_keys() == ()


def test_another_key_under_its_name_is_not_it(identity: Identity, tmp_path: Path) -> None:
    key = identity.any_key()
    (path,) = identity.directory.glob("*.key")
    Identity(tmp_path / "other").any_key()
    (other,) = (tmp_path / "other").glob("*.key")
    path.write_bytes(other.read_bytes())
    assert again(identity).key(key.public) is None


def test_heads_are_remembered_by_runtime(identity: Identity) -> None:
    assert identity.heads() == {}
    identity.remember("web-01", HEAD)
    identity.remember("web-02", Head(seq=1, digest=bytes(32)))
    assert again(identity).heads()["web-01"] == HEAD
    assert again(identity).heads()["web-02"].seq == 1
    assert [path.name for path in identity.directory.iterdir()] == ["head.json"]


def test_a_head_that_is_written_each_second_leaves_nothing_for_the_collector(identity: Identity) -> None:
    identity.remember("rt", HEAD)
    gc.collect()
    gc.disable()
    try:
        identity.remember("rt", HEAD)
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("text", ["", "[]", '{"heads": {"a": 1}}', '{"heads": {"a": [1, "zz"]}}', "\xff"])
def test_heads_that_cannot_be_read_are_none_and_said(
    text: str, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    identity.remember("web-01", HEAD)
    (identity.directory / "head.json").write_text(text, encoding="latin-1")
    assert identity.heads() == {}
    assert [getattr(record, "action", "") for record in caplog.records] == ["chain-head-unreadable"]


def test_another_machine_is_noticed_and_the_same_one_is_not(identity: Identity, machine: Path) -> None:
    assert not identity.moved()
    identity.settle()
    assert not again(identity).moved()
    machine.write_text("bb" * 16 + "\n")
    assert again(identity).moved()
    again(identity).settle()
    assert not again(identity).moved()
    assert "bb" * 16 not in (identity.directory / "machine").read_text()


@pytest.mark.parametrize("name", ["", "\n"])
def test_a_machine_without_a_name_is_any(name: str, identity: Identity, machine: Path) -> None:
    identity.settle()
    machine.write_text(name)
    assert not again(identity).moved()
    machine.unlink()
    assert not again(identity).moved()

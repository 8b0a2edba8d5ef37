"""What says what is trusted is read only where nobody else can have put something in its place on the whole way."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import read_open
from assess_registry.keys import generate_key, load_trusted_keys, way
from assess_registry.keys.way import read_guarded

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")


@pytest.fixture
def anchor(tmp_path: Path) -> Path:
    """Two directories and a link lead to it."""
    (tmp_path / "a/b").mkdir(parents=True)
    path = tmp_path / "a/b/1.root.json"
    path.write_bytes(b"root")
    (tmp_path / "linked").symlink_to("a/../a/b")
    return path


def writable(mode: int) -> Callable[[Path], None]:
    return lambda path: path.chmod(mode)


def given_away(path: Path) -> None:
    os.chown(path, 65534, 65534, follow_symlinks=False)


@pytest.mark.parametrize("through", ["a/b", "linked", "a/b/../b", "linked/../b"])
@pytest.mark.parametrize("name", ["a", "a/b", "a/b/1.root.json"])
@pytest.mark.parametrize(
    "how", [writable(0o777), writable(0o775), writable(0o757), pytest.param(given_away, marks=as_root)]
)
def test_what_others_can_change_or_exchange_is_not_read(
    anchor: Path, tmp_path: Path, through: str, name: str, how: Callable[[Path], None]
) -> None:
    path = tmp_path / through / anchor.name
    assert read_guarded(path, 10) == b"root"
    how(tmp_path / name)
    with pytest.raises(TrustError, match="others can change which keys are trusted") as caught:
        read_guarded(path, 10)
    assert caught.value.step == "keys"
    assert Path(caught.value.thing).resolve() == (tmp_path / name).resolve()
    assert ("chown" if how is given_away else "chmod go-w") in caught.value.next_step


@as_root
def test_a_link_of_somebody_elses_leads_nowhere(anchor: Path, tmp_path: Path) -> None:
    given_away(tmp_path / "linked")
    with pytest.raises(TrustError) as caught:
        read_guarded(tmp_path / "linked" / anchor.name, 10)
    assert caught.value.thing == str(tmp_path / "linked")
    assert read_guarded(anchor, 10) == b"root"


def test_a_directory_for_everybody_is_no_danger_on_the_way_where_nobody_renames_others_files(
    anchor: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").chmod(0o1777)
    assert read_guarded(anchor, 10) == b"root"
    (tmp_path / "a").chmod(0o777)
    with pytest.raises(TrustError):
        read_guarded(anchor, 10)


@as_root
def test_the_sticky_bit_of_somebody_elses_directory_says_nothing(anchor: Path, tmp_path: Path) -> None:
    (tmp_path / "a").chmod(0o1777)
    given_away(tmp_path / "a")
    with pytest.raises(TrustError):
        read_guarded(anchor, 10)


def test_what_was_looked_at_is_what_is_read(anchor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exchanged(descriptor: int, path: Path, max_bytes: int) -> bytes:
        path.rename(path.with_name("before"))
        path.write_bytes(b"evil")
        return read_open(descriptor, path, max_bytes)

    monkeypatch.setattr(way, "read_open", exchanged)
    assert read_guarded(anchor, 10) == b"root"
    assert anchor.read_bytes() == b"evil"


def test_a_relative_path_is_gone_from_the_root_as_well(
    anchor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(anchor.parent)
    assert read_guarded(Path(anchor.name), 10) == b"root"
    (tmp_path / "a").chmod(0o777)
    with pytest.raises(TrustError):
        read_guarded(Path(anchor.name), 10)


def test_what_is_not_there_or_no_file_is_said(anchor: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("absent")
    os.mkfifo(tmp_path / "fifo")
    held = sorted(Path("/proc/self/fd").iterdir())
    for name, error in (
        ("absent", FileNotFoundError),
        ("nowhere", FileNotFoundError),
        ("loop", OSError),
        ("a/b/1.root.json/x", NotADirectoryError),
        ("fifo", ConfigError),
        ("a", ConfigError),
        (".", ConfigError),
    ):
        with pytest.raises(error, match=None) as caught:
            read_guarded(tmp_path / name, 10)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(ConfigError, match="at most 3 bytes"):
        read_guarded(anchor, 3)
    assert len(sorted(Path("/proc/self/fd").iterdir())) == len(held)


@pytest.mark.parametrize("target", ["absent", "loop.pub"])
def test_a_trusted_key_that_leads_nowhere_is_named(tmp_path: Path, target: str) -> None:
    (tmp_path / "acme.pub").write_text(generate_key().public.pem())
    load_trusted_keys(tmp_path)  # the control
    (tmp_path / "loop.pub").symlink_to(target)
    with pytest.raises(TrustError) as caught:
        load_trusted_keys(tmp_path)
    assert caught.value.step == "keys"
    assert [issue.entry for issue in caught.value.issues] == ["loop.pub"]
    assert caught.value.next_step


def test_what_is_no_file_is_told_as_that_whoever_may_write_to_it(tmp_path: Path) -> None:
    """Or somebody would be told to change the mode of what everybody uses: of `/dev/null`, or of `/tmp`."""
    for path in (Path(os.devnull), tmp_path / "everybody's", tmp_path / "fifo"):
        if path.name == "fifo":
            os.mkfifo(path)
        elif path.parent == tmp_path:
            path.mkdir()
        if path.parent == tmp_path:
            path.chmod(0o777)
        with pytest.raises(ConfigError, match="expected a regular file"):
            read_guarded(path, 10)

    (tmp_path / "file").write_bytes(b"root")
    (tmp_path / "file").chmod(0o777)
    with pytest.raises(TrustError, match="chmod go-w"):  # the control: it is a file, and the same people may write
        read_guarded(tmp_path / "file", 10)
